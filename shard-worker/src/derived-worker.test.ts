// A worker that makes one of its inputs: a matrix with a low-rank product added, from files and over the wire.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLOCK_ELEMENTS } from "@amalgam/kernels";
import { ShardService } from "@amalgam/proto";
import { createClientPool, createLogger, poll, Registry } from "@amalgam/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCoordinator } from "./testing/coordinator.ts";
import { asBfloat16, floatTensor, makeJob, randomTensor, type TestJob, type TestTensor } from "./testing/job.ts";
import { mergeAtOnce, mergeByLeases, type TestMerge } from "./testing/merge.ts";
import { createShardWorker } from "./worker.ts";

const [ROWS, COLUMNS, RANK, SCALE] = [300, 700, 3, 0.5];

let directory: string;
let opened: AsyncDisposable[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-derived-"));
  opened = [];
});
afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const linear: TestMerge = {
  method: "linear",
  models: 2,
  hasBase: false,
  options: {},
  scalars: { "weight[0]": 0.25, "weight[1]": 0.75 },
};

/** Two checkpoints; the matrix of the second is bfloat16, and is to have the product of the first one's factors added. */
function setUpJob(): { readonly job: TestJob; readonly slots: TestTensor[][] } {
  const slots = [1, 2].map((seed) => [
    randomTensor("w", [ROWS, COLUMNS], seed),
    randomTensor("a", [RANK, COLUMNS], seed + 10),
    randomTensor("b", [ROWS, RANK], seed + 20),
  ]);
  slots[1]![0] = asBfloat16(slots[1]![0]!);
  const job = makeJob({ directory, slots, segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 2 });
  const segments = job.shards.flatMap((shard) => shard.segments!);
  const place = (tensor: string, slot: number) => {
    const { file, offset, dtype } = segments.find((segment) => segment.tensor === tensor)!.inputs![slot]!;
    return { file: file!, offset: offset!, dtype: dtype! };
  };
  const [w, a, b] = [place("w", 1), place("a", 0), place("b", 0)];
  const lowRank = {
    rank: RANK,
    scale: SCALE,
    left: { ...b, rows: BigInt(ROWS), transposed: false },
    right: { ...a, rows: BigInt(RANK), transposed: false },
  };
  for (const segment of segments.filter(({ tensor }) => tensor === "w")) {
    const first = Number(segment.firstElement);
    const row = Math.floor(first / COLUMNS);
    const rows = Math.ceil((first + Number(segment.elements)) / COLUMNS) - row;
    const sources = [{ ...w, lowRank }];
    const derived = { rowElements: BigInt(COLUMNS), sources, runs: [rows, 2, 0, row] };
    segment.inputs![1] = { dtype: "F32", derived };
  }
  return { job, slots };
}

/** The second checkpoint with the product in its matrix, as the definition says. */
function derivedSlots(slots: readonly TestTensor[][]): TestTensor[][] {
  const floats = ({ bytes }: TestTensor) => new Float32Array(bytes.slice().buffer);
  const [, a, b] = slots[0]!.map(floats) as [Float32Array, Float32Array, Float32Array];
  const halves = new Uint16Array(slots[1]![0]!.bytes.slice().buffer);
  const w = new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
  const f = Math.fround;
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j < COLUMNS; j++) {
      let sum = 0;
      for (let k = 0; k < RANK; k++) sum = f(sum + f(b[i * RANK + k]! * a[k * COLUMNS + j]!));
      w[i * COLUMNS + j] = f(w[i * COLUMNS + j]! + f(sum * SCALE));
    }
  }
  return [[...slots[0]!], [floatTensor("w", [ROWS, COLUMNS], w), ...slots[1]!.slice(1)]];
}

test.for(["direct", "stream"] as const)(
  "storage %s: a derived input has the bits of the definition, and is derived once however often it is merged",
  async (storage) => {
    const { job, slots } = setUpJob();
    const coordinator = await startCoordinator(job, "local");
    opened.push(coordinator);
    const worker = createShardWorker({
      workerId: "worker-1",
      address: "local:worker-1",
      threads: 2,
      memoryBytes: 64 * 1024 * 1024,
      coordinator: coordinator.client,
      holders: createClientPool(ShardService),
      storage,
      log: createLogger({ role: "worker", level: "silent" }),
      metrics: new Registry(),
      signal: new AbortController().signal,
    });
    opened.push(worker);
    void worker.run();
    await poll(() => worker.connected, { what: "the session", timeoutMs: 10_000 });
    const expected = mergeAtOnce(derivedSlots(slots), linear).get("w")!;
    for (const keepInputs of [true, true, false]) {
      const merged = await mergeByLeases(coordinator, worker, job, linear, { keepInputs });
      expect(Buffer.compare(merged.get("w")!, expected)).toBe(0);
    }
  },
);
