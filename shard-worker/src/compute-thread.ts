// Entry of a compute thread: receives shards and tasks, answers each task with one message. One task at a time.
import { parentPort, workerData } from "node:worker_threads";
import { readInputs } from "./read-inputs.ts";
import { createShardCompute, type ShardCompute } from "./shard-compute.ts";
import { describeFailure, givenUp } from "./task-error.ts";
import type { FromThread, ThreadData, ToThread } from "./thread-protocol.ts";

const { cancelled } = workerData as ThreadData;
const shards = new Map<number, ShardCompute>();

const checkpoint = (): void => {
  if (Atomics.load(cancelled, 0) !== 0) throw givenUp();
};

async function runTask({ shardId, read, task }: ToThread & { kind: "task" }): Promise<FromThread> {
  const shard = shards.get(shardId)!;
  const times = { read: 0, compute: 0, write: 0 };
  const clock = {
    add(phase: keyof typeof times, ms: number) {
      times[phase] += ms;
    },
  };
  const started = performance.now();
  const readBytes = read === undefined ? 0 : await readInputs(shard.memory, read, checkpoint);
  clock.add("read", performance.now() - started);
  const result = shard.run(task, clock, checkpoint);
  return {
    kind: "done",
    result,
    readBytes,
    times: { readMs: times.read, computeMs: times.compute, writeMs: times.write },
  };
}

parentPort!.on("message", (message: ToThread) => {
  switch (message.kind) {
    case "shard":
      shards.set(message.shard.id, createShardCompute(message.shard));
      return;
    case "forget":
      shards.delete(message.shardId);
      return;
    case "task":
      void answer(message).then((messageAndTransfer) => parentPort!.postMessage(...messageAndTransfer));
      return;
    default:
      message satisfies never;
  }
});

async function answer(message: ToThread & { kind: "task" }): Promise<[FromThread, ArrayBuffer[]]> {
  try {
    const done = await runTask(message);
    return [done, done.kind === "done" && done.result.kind === "held" ? [done.result.bytes.buffer] : []];
  } catch (error) {
    return [{ kind: "failed", ...describeFailure(error) }, []];
  }
}
