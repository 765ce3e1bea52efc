// The worker against the true wire: real threads, files, kernels and (where said) gRPC. The coordinator's side is driven by
// the tests.
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLOCK_ELEMENTS } from "@amalgam/kernels";
import { ShardService } from "@amalgam/proto";
import { createClientPool, createLogger, poll, Registry } from "@amalgam/runtime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCoordinator, type TestCoordinator } from "./testing/coordinator.ts";
import {
  asBfloat16,
  floatTensor,
  makeJob,
  randomFloats,
  randomTensor,
  type TestJob,
  type TestTensor,
} from "./testing/job.ts";
import { expectReport, fetchShard, leaseOn, mergeAtOnce, mergeByLeases, type TestMerge } from "./testing/merge.ts";
import { createShardWorker, type ShardWorker, type ShardWorkerOptions } from "./worker.ts";

let directory: string;
let opened: AsyncDisposable[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-worker-"));
  opened = [];
});
afterEach(async () => {
  for (const each of opened.reverse()) await each[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const linear: TestMerge = {
  method: "linear",
  models: 3,
  hasBase: false,
  options: {},
  scalars: { "weight[0]": 0.5, "weight[1]": 0.3, "weight[2]": 0.2 },
};
const ties: TestMerge = {
  method: "ties",
  models: 2,
  hasBase: true,
  options: {},
  scalars: { "weight[0]": 0.7, "weight[1]": 0.4, "density[0]": 0.3, "density[1]": 0.6, lambda: 1 },
};
const tiesOfficial: TestMerge = {
  method: "ties_official",
  models: 2,
  hasBase: true,
  options: {},
  scalars: { "density[0]": 0.2, "density[1]": 0.2, lambda: 0.9 },
};

/** Three checkpoints of one architecture: a tensor of several blocks, a small matrix, a bias, integers. */
function checkpoints(): TestTensor[][] {
  return [1, 2, 3].map((slot) => [
    randomTensor("embed.weight", [300, 700], slot),
    randomTensor("layer.0.weight", [64, 96], slot + 10),
    randomTensor("layer.0.bias", [96], slot + 20),
    { name: "positions", dtype: "I64", shape: [8], bytes: new Uint8Array(64).fill(slot) },
  ]);
}
const bfloat16 = (slots: TestTensor[][]): TestTensor[][] =>
  slots.map((tensors) => tensors.map((tensor) => (tensor.dtype === "F32" ? asBfloat16(tensor) : tensor)));
const cut = { segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 2 };

interface Setup {
  readonly coordinator: TestCoordinator;
  readonly worker: ShardWorker;
  readonly metrics: Registry;
  readonly running: Promise<void>;
  readonly stop: AbortController;
}

async function setUp(
  job: TestJob,
  options: Partial<ShardWorkerOptions> = {},
  transport: "local" | "grpc" = "local",
): Promise<Setup> {
  const coordinator = await startCoordinator(job, transport);
  opened.push(coordinator);
  const metrics = new Registry();
  const stop = new AbortController();
  const worker = createShardWorker({
    workerId: "worker-1",
    address: "local:worker-1",
    threads: 1,
    memoryBytes: 64 * 1024 * 1024,
    coordinator: coordinator.client,
    holders: createClientPool(ShardService),
    storage: "direct",
    log: createLogger({ role: "worker", level: "silent" }),
    metrics,
    signal: stop.signal,
    ...options,
  });
  opened.push(worker);
  const running = worker.run();
  await poll(() => worker.connected, { what: "the session", timeoutMs: 10_000 });
  return { coordinator, worker, metrics, running, stop };
}

async function total(metrics: Registry, name: string, labels: Record<string, string>): Promise<number> {
  const metric = await metrics.getSingleMetric(`amalgam_shard_worker_${name}`)!.get();
  const matching = metric.values.filter((value) =>
    Object.entries(labels).every(([key, label]) => value.labels[key] === label),
  );
  return matching.reduce((sum, { value }) => sum + value, 0);
}

const mergeLease = (job: TestJob, shard: number, merge: TestMerge) => ({
  ...leaseOn(job, shard, merge),
  task: { case: "merge" as const, value: {} },
});

describe("merged bytes", () => {
  test.each([linear, ties, tiesOfficial])(
    "of $method equal the kernels' own, whole tensors or cut over shards",
    async (merge) => {
      const slots = bfloat16(checkpoints());
      const expected = mergeAtOnce(slots, merge);
      for (const shape of [{}, cut]) {
        const job = makeJob({ directory: join(directory, JSON.stringify(shape).length.toString()), slots, ...shape });
        const { coordinator, worker } = await setUp(job);
        expect(await mergeByLeases(coordinator, worker, job, merge)).toEqual(expected);
      }
    },
  );

  test.each(["direct", "stream", "auto"] as const)("are the same with storage %s over gRPC", async (storage) => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots, ...cut });
    const { coordinator, worker, metrics } = await setUp(job, { storage }, "grpc");
    expect(await mergeByLeases(coordinator, worker, job, ties)).toEqual(mergeAtOnce(slots, ties));
    expect(coordinator.streamedBytes > 0).toBe(storage === "stream");
    const source = storage === "stream" ? "stream" : "direct";
    expect(await total(metrics, "input_bytes_total", { source })).toBeGreaterThan(0);
  });

  test.each([2, 4])("are the same with %i threads", async (threads) => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots, ...cut });
    const { coordinator, worker } = await setUp(job, { threads });
    expect(await mergeByLeases(coordinator, worker, job, tiesOfficial)).toEqual(mergeAtOnce(slots, tiesOfficial));
  });

  test("reach their offsets in the staging directory, and their digests the coordinator", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots, segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 2 });
    const output = join(directory, "out.safetensors");
    writeFileSync(output, job.outputHeader);
    truncateSync(output, job.outputBytes);
    writeFileSync(join(directory, "staging.json"), '{"token":"correct horse"}');
    const { coordinator, worker } = await setUp(job);
    const merged = await mergeByLeases(coordinator, worker, job, linear);
    for (const shard of job.shards.keys()) {
      const value = { stagingDirectory: directory, files: ["out.safetensors"], stagingToken: "correct horse" };
      const report = coordinator.lease({ ...leaseOn(job, shard, linear), task: { case: "write", value } });
      const { segmentSha256 } = await expectReport(report, "writeDone");
      expect(segmentSha256).toHaveLength(job.shards[shard]!.segments!.length);
    }
    const written = readFileSync(output);
    expect(written.length).toBe(job.outputBytes);
    for (const [tensor, { begin, end }] of job.offsets) {
      expect(Buffer.compare(written.subarray(begin, end), merged.get(tensor)!)).toBe(0);
    }
  });

  test("are held instead of written when the staging directory is another one", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    writeFileSync(join(directory, "staging.json"), '{"token":"another"}');
    const { coordinator, worker } = await setUp(job);
    const value = { stagingDirectory: directory, files: ["out.safetensors"], stagingToken: "correct horse" };
    const report = coordinator.lease({ ...leaseOn(job, 0, linear), task: { case: "write", value } });
    const { sha256, byteLength } = await expectReport(report, "mergeDone");
    expect(await fetchShard(worker, 0, sha256)).toHaveLength(Number(byteLength));
  });
});

describe("memory", () => {
  test("a second candidate on a resident shard reads no file again", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots });
    const { coordinator, worker, metrics } = await setUp(job);
    const keep = { keepInputs: true };
    await mergeByLeases(coordinator, worker, job, { ...linear, id: "first" }, keep);
    const afterFirst = await total(metrics, "input_bytes_total", {});
    expect(afterFirst).toBeGreaterThan(0);
    const second = { ...linear, id: "second", scalars: { ...linear.scalars, "weight[0]": 0.9 } };
    expect(await mergeByLeases(coordinator, worker, job, second, keep)).toEqual(mergeAtOnce(slots, second));
    expect(await total(metrics, "input_bytes_total", {})).toBe(afterFirst);
  });

  test("passes over a sample read the sample, not the shard", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots, ...cut });
    const { coordinator, worker, metrics } = await setUp(job);
    expect(await mergeByLeases(coordinator, worker, job, tiesOfficial)).toEqual(mergeAtOnce(slots, tiesOfficial));
    const all = slots.flat().reduce((sum, { dtype, bytes }) => sum + (dtype === "F32" ? bytes.length : 0), 0);
    // One pass counts, one sums, one merges; three look at samples.
    expect(await total(metrics, "input_bytes_total", {})).toBeLessThan(4 * all);
    expect(await total(metrics, "input_bytes_total", {})).toBeGreaterThan(3 * all);
  });

  test("the budget is kept while more shards are leased than fit", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots, segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 1 });
    const memoryBytes = 5 * 1024 * 1024;
    const { coordinator, worker, metrics } = await setUp(job, { memoryBytes });
    let highest = 0;
    const watch = setInterval(async () => {
      const used = (await total(metrics, "memory_bytes", {})) + (await total(metrics, "held_bytes", {}));
      highest = Math.max(highest, used);
    }, 1);
    try {
      for (const id of ["first", "second", "third"]) {
        const merge = { ...linear, id };
        expect(await mergeByLeases(coordinator, worker, job, merge, { keepInputs: true })).toEqual(
          mergeAtOnce(slots, merge),
        );
        coordinator.send({ case: "drop", value: { jobId: "job", candidateIds: [id] } });
      }
    } finally {
      clearInterval(watch);
    }
    expect(highest).toBeGreaterThan(0);
    expect(highest).toBeLessThanOrEqual(memoryBytes);
  });

  test("merged shards beyond their share of memory are served from temporary files", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots });
    const { coordinator, worker, metrics } = await setUp(job, { memoryBytes: 5 * 1024 * 1024 });
    const variants = ["first", "second"].map((id, i) => ({
      ...linear,
      id,
      scalars: { ...linear.scalars, "weight[0]": i },
    }));
    for (const merge of variants) {
      expect(await mergeByLeases(coordinator, worker, job, merge)).toEqual(mergeAtOnce(slots, merge));
    }
    expect(await total(metrics, "held_bytes", {})).toBeGreaterThan(0);
    expect(await total(metrics, "spilled_bytes", {})).toBeGreaterThan(0);
  });

  test("a shard that can never fit fails with both numbers", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { coordinator } = await setUp(job, { memoryBytes: 1024 * 1024 });
    const { code, message } = await expectReport(coordinator.lease(mergeLease(job, 0, linear)), "leaseFailed");
    expect(code).toBe("resource_exhausted");
    expect(message).toMatch(/needs \d+ bytes of memory, this worker may use 786432/);
  });
});

describe("bad inputs", () => {
  const failure = async (coordinator: TestCoordinator, job: TestJob, merge = linear) =>
    expectReport(coordinator.lease(mergeLease(job, 0, merge)), "leaseFailed");

  test("NaN in the weights is refused, naming file, tensor and model", async () => {
    const slots = checkpoints();
    const poisoned = randomFloats(5, 96);
    poisoned[17] = Number.NaN;
    slots[1]![2] = floatTensor("layer.0.bias", [96], poisoned);
    const job = makeJob({ directory, slots });
    const { coordinator } = await setUp(job);
    const { code, message } = await failure(coordinator, job);
    expect(code).toBe("invalid_argument");
    expect(message).toMatch(
      /slot-1\.safetensors: tensor "layer\.0\.bias": NaN or infinity in the weights of model 2 \(element 17\)/,
    );
  });

  test("merged values that overflow are refused, naming the tensor", async () => {
    const slots = [1, 2, 3].map(() => [floatTensor("w", [4], Float32Array.of(3e38, 1, 1, 1))]);
    const job = makeJob({ directory, slots });
    const { coordinator } = await setUp(job);
    const doubled = {
      ...linear,
      options: { normalize: false },
      scalars: { "weight[0]": 2, "weight[1]": 2, "weight[2]": 2 },
    };
    const { code, message } = await failure(coordinator, job, doubled);
    expect(code).toBe("out_of_range");
    expect(message).toContain('tensor "w": the merged weights do not fit F32');
  });

  test("a file cut short after it was verified is refused, naming it", async () => {
    const job = makeJob({ directory, slots: checkpoints(), segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 1 });
    const { coordinator } = await setUp(job);
    await expectReport(coordinator.lease(mergeLease(job, 0, linear)), "mergeDone");
    const path = job.files[2]!.path!;
    truncateSync(path, statSync(path).size - 1000);
    const { code, message } = await failure(coordinator, job);
    expect(code).toBe("failed_precondition");
    expect(message).toContain("slot-2.safetensors");
  });

  test("a file touched while the job runs is refused", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { coordinator } = await setUp(job);
    await expectReport(coordinator.lease(mergeLease(job, 0, linear)), "mergeDone");
    utimesSync(job.files[0]!.path!, 1, 1);
    expect((await failure(coordinator, job)).message).toMatch(/slot-0\.safetensors: .*changed/);
  });

  test("a file that is not the coordinator's is refused by direct storage and streamed by auto", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots });
    const strangers = { ...job, files: job.files.map((file) => ({ ...file, headerSha256: "0".repeat(64) })) };
    const direct = await setUp(strangers);
    const { code, message } = await failure(direct.coordinator, strangers);
    expect(code).toBe("failed_precondition");
    expect(message).toMatch(/slot-0\.safetensors: not the coordinator's file/);
    const auto = await setUp(strangers, { storage: "auto" });
    expect(await mergeByLeases(auto.coordinator, auto.worker, strangers, linear)).toEqual(mergeAtOnce(slots, linear));
    expect(auto.coordinator.streamedBytes).toBeGreaterThan(0);
  });
});

describe("the session", () => {
  test("is opened again after it broke, reporting the shards still held", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { coordinator, worker } = await setUp(job, {}, "grpc");
    const done = await expectReport(coordinator.lease(mergeLease(job, 0, linear)), "mergeDone");
    coordinator.breakSession();
    await poll(() => coordinator.hellos.length === 2 && coordinator.connected, {
      what: "a second session",
      timeoutMs: 10_000,
    });
    expect(coordinator.hellos[0]!.held).toEqual([]);
    expect(coordinator.hellos[1]!.held).toMatchObject([
      { jobId: "job", shard: 0, candidateId: "candidate", sha256: done.sha256, byteLength: done.byteLength },
    ]);
    await fetchShard(worker, 0, done.sha256);
    await expectReport(coordinator.lease(mergeLease(job, 0, { ...linear, id: "next" })), "mergeDone");
  });

  test("heartbeats name the leases held", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { coordinator } = await setUp(job);
    await poll(() => coordinator.heartbeats.length >= 2, { what: "heartbeats", timeoutMs: 5_000 });
    expect(coordinator.heartbeats[0]).toEqual([]);
  });

  test("a candidate that is dropped while it is merged leaves nothing behind", async () => {
    const job = makeJob({ directory, slots: checkpoints(), segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 1 });
    const { coordinator, metrics } = await setUp(job);
    const dropped = { ...linear, id: "dropped" };
    for (const shard of job.shards.keys()) void coordinator.lease(mergeLease(job, shard, dropped));
    coordinator.send({ case: "drop", value: { jobId: "job", candidateIds: ["dropped"] } });
    const kept = job.shards.map((_, shard) => coordinator.lease(mergeLease(job, shard, { ...linear, id: "kept" })));
    for (const report of kept) await expectReport(report, "mergeDone");
    expect(await total(metrics, "attempts_total", { outcome: "done" })).toBe(job.shards.length);
    expect(await total(metrics, "attempts_total", { outcome: "failed" })).toBe(0);
    coordinator.send({ case: "drop", value: { jobId: "job", candidateIds: ["kept"] } });
    await poll(async () => (await total(metrics, "held_bytes", {})) === 0, { what: "the drop", timeoutMs: 5_000 });
  });

  test("models in another order are not merged with the statistics of the first order", async () => {
    const slots = checkpoints();
    const job = makeJob({ directory, slots });
    const { coordinator, worker } = await setUp(job);
    const keep = { keepInputs: true };
    await mergeByLeases(coordinator, worker, job, ties, keep);
    const swapped = { ...ties, id: "swapped", slots: [0, 2, 1] };
    const expected = mergeAtOnce([slots[0]!, slots[2]!, slots[1]!], ties);
    expect(await mergeByLeases(coordinator, worker, job, swapped, keep)).toEqual(expected);
  });

  test("dropped and forgotten shards are held no more", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { coordinator, worker, metrics } = await setUp(job);
    const first = await expectReport(coordinator.lease(mergeLease(job, 0, { ...linear, id: "a" })), "mergeDone");
    coordinator.send({ case: "drop", value: { jobId: "job", candidateIds: ["a"] } });
    await poll(async () => (await total(metrics, "held_bytes", {})) === 0, { what: "the drop", timeoutMs: 5_000 });
    await expect(fetchShard(worker, 0, first.sha256)).rejects.toMatchObject({ code: "not_found" });
    await expectReport(
      coordinator.lease({ ...mergeLease(job, 0, { ...linear, id: "b" }), keepInputs: true }),
      "mergeDone",
    );
    coordinator.send({ case: "forget", value: { jobId: "job" } });
    const resident = async () =>
      (await total(metrics, "held_bytes", {})) + (await total(metrics, "resident_bytes", {}));
    await poll(async () => (await resident()) === 0, { what: "the job to be forgotten", timeoutMs: 5_000 });
  });

  test("fetching an unknown digest is not_found", async () => {
    const job = makeJob({ directory, slots: checkpoints() });
    const { worker } = await setUp(job);
    await expect(fetchShard(worker, 0, "f".repeat(64))).rejects.toMatchObject({ code: "not_found" });
  });

  test("draining says so, finishes the leases it has and ends", async () => {
    const job = makeJob({ directory, slots: checkpoints(), segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 1 });
    const { coordinator, running, stop } = await setUp(job, {}, "grpc");
    const reports = job.shards.map((_, shard) => coordinator.lease(mergeLease(job, shard, linear)));
    await expectReport(reports[0]!, "mergeDone");
    stop.abort();
    for (const report of reports) await expectReport(report, "mergeDone");
    await running;
    expect(coordinator.leaving).toBe(true);
  });
});
