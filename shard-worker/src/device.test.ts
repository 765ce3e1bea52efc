// A worker with a device: shards of a job with its back-end are merged there, on several threads, with the kernels' bytes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDevice } from "@amalgam/devices";
import { ShardService } from "@amalgam/proto";
import { createClientPool, createLogger, poll, Registry } from "@amalgam/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCoordinator } from "./testing/coordinator.ts";
import { makeJob, randomTensor, type TestTensor } from "./testing/job.ts";
import { expectReport, leaseOn, mergeAtOnce, mergeByLeases, type TestMerge } from "./testing/merge.ts";
import { createShardWorker } from "./worker.ts";

let directory: string;
let scope: AsyncDisposableStack;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-device-"));
  scope = new AsyncDisposableStack();
});
afterEach(async () => {
  await scope.disposeAsync();
  rmSync(directory, { recursive: true, force: true });
});

const weights = (scale: number) => ({ "weight[0]": 0.7 * scale, "weight[1]": 0.4, lambda: 1 });
const taskArithmetic: TestMerge = {
  method: "task_arithmetic",
  models: 2,
  hasBase: true,
  options: {},
  scalars: weights(1),
};
// Ranks rows: not for devices, so the same worker merges it with its kernels.
const della: TestMerge = {
  ...{ method: "della", models: 2, hasBase: true, options: {} },
  scalars: {
    ...weights(1),
    ...{ "density[0]": 0.5, "density[1]": 0.6, "epsilon[0]": 0.1, "epsilon[1]": 0.1, randomKey: 77 },
  },
};

function checkpoints(): TestTensor[][] {
  return [1, 2, 3].map((slot) => [
    randomTensor("embed.weight", [300, 700], slot),
    randomTensor("layer.0.bias", [97], slot + 20),
    { name: "positions", dtype: "I64", shape: [8], bytes: new Uint8Array(64).fill(slot) },
  ]);
}

async function setUp(backend: string | undefined) {
  const slots = checkpoints();
  const job = makeJob({ directory, slots, segmentElements: 90 * 700, segmentsPerShard: 2 });
  const coordinator = scope.use(await startCoordinator(job, "local"));
  const device = backend === undefined ? undefined : scope.use(await startDevice(backend, 2 ** 26));
  const log = createLogger({ role: "worker", level: "silent" });
  const stop = new AbortController();
  const worker = scope.use(
    createShardWorker({
      ...{ workerId: "worker-1", address: "local:worker-1", threads: 2, memoryBytes: 2 ** 26 },
      ...{
        coordinator: coordinator.client,
        holders: createClientPool(ShardService),
        storage: "direct",
        device,
        log,
        metrics: new Registry(),
        signal: stop.signal,
      },
    }),
  );
  void worker.run();
  await poll(() => worker.connected, { what: "the session", timeoutMs: 10_000 });
  return { slots, job, coordinator, worker };
}

test("a worker says which back-end it offers, and merges with it candidate after candidate", async () => {
  const { slots, job, coordinator, worker } = await setUp("onnx:cpu");
  expect(coordinator.hellos).toMatchObject([{ backend: "onnx:cpu" }]);
  for (const [id, merge] of [
    ["first", taskArithmetic],
    ["second", { ...taskArithmetic, scalars: weights(2) }],
    ["third", della],
  ] as const) {
    const lease = { keepInputs: true, backend: "onnx:cpu" };
    const tensors = await mergeByLeases(coordinator, worker, job, { ...merge, id }, lease);
    expect(tensors, id).toEqual(mergeAtOnce(slots, merge));
  }
});

test("a worker refuses a back-end that it does not have", async () => {
  const { job, coordinator } = await setUp(undefined);
  expect(coordinator.hellos).toMatchObject([{ backend: "wasm" }]);
  const what = { ...leaseOn(job, 0, taskArithmetic), backend: "webgpu", task: { case: "merge" as const, value: {} } };
  const failure = await expectReport(coordinator.lease(what), "leaseFailed");
  expect(failure).toMatchObject({ code: "failed_precondition", message: "this worker has no webgpu" });
});
