// Merges whose importance comes with the candidate: fetched from holders, verified, added term by term, beside inputs that stay.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLOCK_ELEMENTS } from "@amalgam/kernels";
import { type GivenInputSchema, ShardService } from "@amalgam/proto";
import {
  bindService,
  createClientPool,
  createHeldShards,
  createLogger,
  createShardService,
  poll,
  Registry,
  serve,
} from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LeaseInit, startCoordinator } from "./testing/coordinator.ts";
import { floatTensor, makeJob, randomFloats, randomTensor, type TestJob, type TestTensor } from "./testing/job.ts";
import { expectReport, fetchShard, leaseOn, mergeAtOnce, mergeByLeases, type TestMerge } from "./testing/merge.ts";
import { createShardWorker } from "./worker.ts";

let directory: string;
let scope: AsyncDisposableStack;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-given-"));
  scope = new AsyncDisposableStack();
});
afterEach(async () => {
  await scope.disposeAsync();
  rmSync(directory, { recursive: true, force: true });
});

const whole = <T>(values: T) => ({ values, weight: 1 });

const dfMerge = (weights: readonly number[], normalize = "none"): TestMerge => ({
  method: "df_merge",
  models: 2,
  hasBase: true,
  options: { normalize },
  scalars: { "weight[0]": weights[0]!, "weight[1]": weights[1]!, epsilon: 1e-12 },
});
/** Slots of the two models' importance. */
const GIVEN = [3, 4];

const shapes = new Map([
  ["embed.weight", [130, 600]],
  ["layer.bias", [7]],
  ["layer.weight", [40, 31]],
]);
const elementsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const checkpoint = (seed: number): TestTensor[] =>
  [...shapes].map(([name, shape], index) => randomTensor(name, shape, 10 * seed + index));
/** Positive values, as mean squares are. */
const importance = (seed: number): TestTensor[] =>
  [...shapes].map(([name, shape], index) => {
    const values = randomFloats(100 + 10 * seed + index, elementsOf(shape));
    return floatTensor(
      name,
      shape,
      values.map((value) => value * value),
    );
  });

/** A job whose importance lies in no file. */
function givenJob(): { readonly job: TestJob; readonly slots: TestTensor[][] } {
  const slots = [checkpoint(1), checkpoint(2), checkpoint(3)];
  const cut = { segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 2 };
  return { job: makeJob({ directory, slots, givenSlots: GIVEN.length, ...cut }), slots };
}

async function setUp(job: TestJob) {
  const held = scope.use(createHeldShards({ memoryBytes: 2 ** 20, spillDirectory: directory }));
  const impl = createShardService(held);
  let fetched = 0;
  const counting: typeof impl = {
    fetchShard(request, context) {
      fetched++;
      return impl.fetchShard(request, context);
    },
  };
  const server = scope.use(
    await serve({ address: "127.0.0.1:0", services: [bindService(ShardService, counting)], graceMs: 100 }),
  );
  const coordinator = scope.use(await startCoordinator(job, "local"));
  const metrics = new Registry();
  const worker = scope.use(
    createShardWorker({
      workerId: "worker-1",
      address: "local:worker-1",
      threads: 2,
      memoryBytes: 64 * 2 ** 20,
      coordinator: coordinator.client,
      holders: scope.use(createClientPool(ShardService)),
      storage: "direct",
      log: createLogger({ role: "worker", level: "silent" }),
      metrics,
      signal: new AbortController().signal,
    }),
  );
  void worker.run();
  await poll(() => worker.connected, { what: "the session", timeoutMs: 10_000 });

  /** Has the values of a shard's segments held, and says where they are. */
  const hold = async (shard: number, tensors: readonly TestTensor[]) => {
    const pieces = job.shards[shard]!.segments!.map(({ tensor, firstElement, elements }) => {
      const { bytes } = tensors.find(({ name }) => name === tensor)!;
      return bytes.subarray(4 * Number(firstElement), 4 * (Number(firstElement) + Number(elements)));
    });
    const bytes = Buffer.concat(pieces);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await held.hold({ jobId: "job", shard, candidateId: "i", sha256 }, bytes);
    return { shard, sha256, byteLength: BigInt(bytes.length), address: server.address };
  };
  const leaseWith = (shard: number, merge: TestMerge, given: Given): LeaseInit => ({
    ...leaseOn(job, shard, { ...merge, given }),
    task: { case: "merge", value: {} },
    keepInputs: true,
  });
  const mergeAll = async (merge: TestMerge, given: (shard: number) => Promise<Given>): Promise<Buffer> => {
    const shards = job.shards.map(async (_, shard) => {
      const report = coordinator.lease(leaseWith(shard, merge, await given(shard)));
      return fetchShard(worker, shard, (await expectReport(report, "mergeDone")).sha256);
    });
    return Buffer.concat(await Promise.all(shards));
  };
  return { coordinator, worker, metrics, hold, leaseWith, mergeAll, fetches: () => fetched };
}

type Given = MessageInitShape<typeof GivenInputSchema>[];

const atOnce = (slots: TestTensor[][], given: TestTensor[][], merge: TestMerge): Buffer =>
  Buffer.concat([...mergeAtOnce([...slots, ...given], merge).values()]);

test("gives the bytes of a merge with the same importance in files, over gRPC, for one candidate after another", async () => {
  const { job, slots } = givenJob();
  const { hold, mergeAll } = await setUp(job);
  for (const [trial, weights] of [
    [0.3, 0.8],
    [0.9, 0.1],
  ].entries()) {
    const values = [importance(2 * trial), importance(2 * trial + 1)];
    const merged = await mergeAll(dfMerge(weights), (shard) =>
      Promise.all(
        values.map(async (tensors, model) => ({ slot: GIVEN[model]!, terms: [whole(await hold(shard, tensors))] })),
      ),
    );
    expect(merged).toEqual(atOnce(slots, values, dfMerge(weights)));
  }
});

test("fetches nothing twice, and reads no file again, when only the coefficients change", async () => {
  const { job } = givenJob();
  const { hold, mergeAll, fetches, metrics } = await setUp(job);
  const given = (shard: number): Promise<Given> =>
    Promise.all(GIVEN.map(async (slot) => ({ slot, terms: [whole(await hold(shard, importance(slot)))] })));
  const first = await mergeAll(dfMerge([0.5, 0.5]), given);
  const count = fetches();
  expect(count).toBe(2 * job.shards.length);
  const second = await mergeAll(dfMerge([0.5, 0.6]), given);
  expect(second).not.toEqual(first);
  expect(fetches()).toBe(count);
  const read = await metrics.getSingleMetric("amalgam_shard_worker_input_bytes_total")!.get();
  const direct = read.values.find(({ labels }) => labels["source"] === "direct")!.value;
  const elements = [...shapes.values()].reduce((sum, shape) => sum + elementsOf(shape), 0);
  expect(direct).toBe(3 * 4 * elements);
});

test("adds several terms with their weights and in their order, as float32", async () => {
  const { job, slots } = givenJob();
  const { hold, mergeAll } = await setUp(job);
  const parts = [importance(1), importance(2), importance(3)];
  const weights = [0.5, 0.375, 0.125];
  const valuesOf = ({ bytes }: TestTensor): Float32Array => new Float32Array(bytes.slice().buffer);
  const total = parts[0]!.map(({ name, shape }, tensor) => {
    const sum = new Float32Array(elementsOf(shape));
    for (const [part, tensors] of parts.entries()) {
      const values = valuesOf(tensors[tensor]!);
      for (let i = 0; i < sum.length; i++) sum[i]! += weights[part]! * values[i]!;
    }
    return floatTensor(name, shape, sum);
  });
  const merged = await mergeAll(dfMerge([0.4, 0.7]), async (shard) => [
    {
      slot: GIVEN[0]!,
      terms: await Promise.all(
        parts.map(async (part, i) => ({ values: await hold(shard, part), weight: weights[i]! })),
      ),
    },
    { slot: GIVEN[1]!, constant: 0.25 },
  ]);
  const constant = slots[0]!.map(({ name, shape }) => {
    return floatTensor(name, shape, new Float32Array(elementsOf(shape)).fill(0.25));
  });
  expect(merged).toEqual(atOnce(slots, [total, constant], dfMerge([0.4, 0.7])));
});

test("names the terms that it cannot have, and those that come with other bytes, and works with what takes their place", async () => {
  const { job } = givenJob();
  const { coordinator, hold, leaseWith } = await setUp(job);
  const [good, other] = [await hold(0, importance(1)), await hold(0, importance(2))];
  const gone = { ...other, sha256: "0".repeat(64) };
  const silent = { ...other, address: "127.0.0.1:1" };
  for (const term of [gone, silent]) {
    const given = [
      { slot: GIVEN[0]!, terms: [whole(good)] },
      { slot: GIVEN[1]!, terms: [good, term].map(whole) },
    ];
    const failed = await expectReport(coordinator.lease(leaseWith(0, dfMerge([1, 1]), given)), "leaseFailed");
    expect(failed).toMatchObject({ code: "unavailable", lost: [term.sha256] });
  }
  const given = GIVEN.map((slot) => ({ slot, terms: [whole(good)] }));
  await expectReport(coordinator.lease(leaseWith(0, dfMerge([1, 1]), given)), "mergeDone");
});

test("statistics over the whole model are those of the values that came with the candidate", async () => {
  const { job, slots } = givenJob();
  const { coordinator, worker } = await setUp(job);
  for (const constant of [1, 4]) {
    const given = GIVEN.map((slot) => ({ slot, constant: slot === GIVEN[0] ? constant : 1 }));
    const values = given.map(({ constant: value }) =>
      slots[0]!.map(({ name, shape }) => floatTensor(name, shape, new Float32Array(elementsOf(shape)).fill(value))),
    );
    const merge = dfMerge([0.2, 0.3], "l2");
    const merged = await mergeByLeases(coordinator, worker, job, { ...merge, given }, { keepInputs: true });
    expect(merged).toEqual(mergeAtOnce([...slots, ...values], merge));
  }
});

interface Golden {
  readonly inputs: {
    readonly order: readonly string[];
    readonly shapes: Readonly<Record<string, readonly number[]>>;
    readonly base: Nested;
    readonly task_vectors: readonly Nested[];
  };
  readonly fisher: { readonly F: readonly Nested[]; readonly coef: readonly number[]; readonly raw_no_favor: Nested };
  readonly df_merge: { readonly lam: readonly number[]; readonly theta: Nested };
}
type Nested = Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>;

test("the published methods' numbers come out, with their Fisher information given", async () => {
  const file = new URL("../../tests/golden/methods/golden_vectors.json", import.meta.url);
  const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
  const { order, shapes: of, base, task_vectors: taus } = golden.inputs;
  const flat = (nested: Nested, name: string): number[] => nested[name]!.flat();
  const tensorsOf = (values: (name: string) => number[]): TestTensor[] =>
    order.map((name) => floatTensor(name, of[name]!, Float32Array.from(values(name))));
  const models = taus.map((tau) =>
    tensorsOf((name) => flat(base, name).map((value, i) => value + flat(tau, name)[i]!)),
  );
  const job = makeJob({ directory, slots: [tensorsOf((name) => flat(base, name)), ...models], givenSlots: 3 });
  const { mergeAll, hold } = await setUp(job);
  const given = (shard: number): Promise<Given> =>
    Promise.all(
      golden.fisher.F.map(async (information, i) => {
        const tensors = tensorsOf((name) => flat(information, name));
        return { slot: 4 + i, terms: [whole(await hold(shard, tensors))] };
      }),
    );
  const weights = (values: readonly number[]) => Object.fromEntries(values.map((value, i) => [`weight[${i}]`, value]));
  const cases: [TestMerge, Nested][] = [
    [
      {
        ...{ method: "df_merge", models: 3, hasBase: true, options: {} },
        scalars: { ...weights(golden.df_merge.lam), epsilon: 1e-12 },
      },
      golden.df_merge.theta,
    ],
    [
      {
        ...{ method: "fisher", models: 3, hasBase: false, options: { favor_target: false }, slots: [1, 2, 3, 4, 5, 6] },
        scalars: { ...weights(golden.fisher.coef), floor: 1e-6 },
      },
      golden.fisher.raw_no_favor,
    ],
  ];
  for (const [merge, expected] of cases) {
    const bytes = await mergeAll(merge, given);
    const found = new Float32Array(Uint8Array.from(bytes).buffer);
    const wanted = order.flatMap((name) => flat(expected, name));
    expect(found).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries())
      expect(Math.abs(found[i]! - value)).toBeLessThan(1e-6 * (1 + Math.abs(value)));
  }
});
