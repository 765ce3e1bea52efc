// Entry of a compute thread: receives shards and tasks, answers each task with one message. One task at a time.
import { parentPort, workerData } from "node:worker_threads";
import { forgetOwner } from "@amalgam/devices/executor";
import { createShardCompute, type ShardCompute } from "./shard-compute.ts";
import { describeFailure, givenUp } from "./task-error.ts";
import type { FromThread, ThreadData, ToThread } from "./thread-protocol.ts";

const { cancelled, device, methods } = workerData as ThreadData;
if (methods.length > 0) await (await import("@amalgam/runtime/methods")).loadMethods(methods);
const shards = new Map<number, ShardCompute>();

const checkpoint = (): void => {
  if (Atomics.load(cancelled, 0) !== 0) throw givenUp();
};

function runTask({ shardId, derive, task }: ToThread & { kind: "task" }): FromThread {
  const started = performance.now();
  const shard = shards.get(shardId)!;
  shard.derive(derive, checkpoint);
  const result = shard.run(task, checkpoint);
  return { kind: "done", result, computeMs: performance.now() - started };
}

parentPort!.on("message", (message: ToThread) => {
  switch (message.kind) {
    case "shard":
      shards.set(message.shard.id, createShardCompute(message.shard, device));
      return;
    case "forget":
      shards.delete(message.shardId);
      if (device !== undefined) forgetOwner(device, message.shardId);
      return;
    case "task":
      parentPort!.postMessage(...answer(message));
      return;
    default:
      message satisfies never;
  }
});

function answer(message: ToThread & { kind: "task" }): [FromThread, ArrayBuffer[]] {
  try {
    const done = runTask(message);
    return [done, done.kind === "done" && done.result.kind === "held" ? [done.result.bytes.buffer] : []];
  } catch (error) {
    return [{ kind: "failed", ...describeFailure(error) }, []];
  }
}
