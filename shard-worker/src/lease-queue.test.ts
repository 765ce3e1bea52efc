// The queue over the real runner, threads and files. The disk is slow when a test says so.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLOCK_ELEMENTS } from "@amalgam/kernels";
import { LeaseSchema, ShardService } from "@amalgam/proto";
import { createClientPool, createHeldShards, createLogger, poll, Registry } from "@amalgam/runtime";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createComputePool } from "./compute-pool.ts";
import type { LeaseReport } from "./lease-messages.ts";
import { createLeaseQueue } from "./lease-queue.ts";
import { createLeaseRunner, type LoadedShard } from "./lease-runner.ts";
import { createMemoryPool } from "./memory-pool.ts";
import { createOutputFiles, type OutputFiles } from "./output-files.ts";
import { createStorage } from "./storage.ts";
import { startCoordinator } from "./testing/coordinator.ts";
import { makeJob, randomTensor } from "./testing/job.ts";
import { leaseOn, type TestMerge } from "./testing/merge.ts";
import { createWorkerMetrics } from "./worker-metrics.ts";

const linear: TestMerge = {
  method: "linear",
  models: 2,
  hasBase: false,
  options: {},
  scalars: { "weight[0]": 0.5, "weight[1]": 0.5 },
};
const TOKEN = "correct horse";
const DEADLINE = { timeoutMs: 10_000 };

test("with memory for one shard, the next one is merged while the disk still takes the one before", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "amalgam-lease-queue-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const slots = [1, 2].map((seed) => [randomTensor("w", [3, BLOCK_ELEMENTS], seed)]);
  const job = makeJob({ directory, slots, segmentElements: BLOCK_ELEMENTS, segmentsPerShard: 1 });
  writeFileSync(join(directory, "out.safetensors"), job.outputHeader);
  truncateSync(join(directory, "out.safetensors"), job.outputBytes);
  writeFileSync(join(directory, "staging.json"), JSON.stringify({ token: TOKEN }));

  const disk = Promise.withResolvers<void>();
  let written = 0;
  const files = stack.use(createOutputFiles());
  const outputs: OutputFiles = {
    ...files,
    async write(jobId, ranges) {
      await files.write(jobId, ranges);
      written++;
    },
    async flush(jobId, ranges) {
      await disk.promise;
      await files.flush(jobId, ranges);
    },
  };
  const log = createLogger({ role: "test", level: "silent" });
  const compute = stack.use(createComputePool(1, log));
  const shardBytes = 3 * BLOCK_ELEMENTS * 4;
  const memoryBytes = shardBytes + 4 * 65_536;
  const memory = createMemoryPool<LoadedShard>({
    mostBytes: memoryBytes,
    budgetBytes: () => memoryBytes,
    onDiscard: ({ id }) => compute.forget(id),
  });
  const runner = createLeaseRunner({
    coordinator: stack.use(await startCoordinator(job, "local")).client,
    compute,
    memory,
    holders: stack.use(createClientPool(ShardService)),
    held: stack.use(createHeldShards({ memoryBytes: 0, spillDirectory: directory })),
    storage: stack.use(createStorage("direct", () => undefined)),
    outputs,
    storageMode: "direct",
    metrics: createWorkerMetrics(new Registry(), "w"),
  });
  const reports: LeaseReport[] = [];
  const queue = createLeaseQueue({
    runner,
    limit: 3,
    log,
    onReport: (report) => void reports.push(report),
    onChange: () => undefined,
  });

  queue.apply({ kind: "welcome", epoch: 1n });
  const value = { stagingDirectory: directory, files: ["out.safetensors"], stagingToken: TOKEN };
  for (const shard of job.shards.keys()) {
    const task = { case: "write" as const, value };
    const lease = { leaseId: `${shard}`, epoch: 1n, jobId: "job", files: job.files, ...leaseOn(job, shard, linear) };
    queue.apply({ kind: "lease", lease: create(LeaseSchema, { ...lease, task }) });
  }
  await poll(() => written === job.shards.length, { what: "every shard written", ...DEADLINE });
  expect(reports).toEqual([]);
  disk.resolve();
  await poll(() => reports.length === job.shards.length, { what: "the reports", ...DEADLINE });
  expect(reports.map((report) => report.case)).toEqual(job.shards.map(() => "writeDone"));
  expect(memory.totalBytes).toBeLessThan(2 * shardBytes);
});
