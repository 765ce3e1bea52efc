// Worker threads that compute on shards, one task each at a time. The calling thread only hands out work: it never computes.
import { Worker } from "node:worker_threads";
import type { DeviceHost } from "@amalgam/devices";
import { AmalgamError, type Logger } from "@amalgam/runtime";
import { loadedMethods } from "@amalgam/runtime/methods";
import { describeFailure } from "./task-error.ts";
import type { FromThread, ShardResult, ShardTask, SharedShard, ThreadData, ToThread } from "./thread-protocol.ts";

export interface ComputeRequest {
  readonly shard: SharedShard;
  /** Slots whose inputs have been read and are still to be derived: after a failure they are neither the one nor the other. */
  readonly derive: ReadonlySet<number>;
  readonly task: ShardTask;
}

export interface ComputeAnswer {
  readonly result: ShardResult;
  readonly computeMs: number;
}

export interface ComputePool extends AsyncDisposable {
  /**
   * Runs a task on the first free thread, preferring one that knows the shard.
   * @throws AmalgamError cancelled when `signal` aborts; the lease's own failure; aborted when the thread died
   */
  run(request: ComputeRequest, options: { signal: AbortSignal }): Promise<ComputeAnswer>;
  /** The shard's memory is used for something else from now on. */
  forget(shardId: number): void;
}

interface Thread {
  readonly worker: Worker;
  readonly cancelled: Int32Array<SharedArrayBuffer>;
  readonly known: Set<number>;
  /** Undefined when the thread is free. */
  settle: { resolve(answer: ComputeAnswer): void; reject(error: AmalgamError): void } | undefined;
}

interface Waiting {
  readonly shardId: number;
  start(thread: Thread): void;
  reject(error: AmalgamError): void;
}

const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./compute-thread.ts" : "./compute-thread.js", import.meta.url);

/** Starts `size` threads. They end with the pool; one that died is replaced when there is work for it. */
export function createComputePool(size: number, log: Logger, device?: DeviceHost): ComputePool {
  const threads = new Set<Thread>();
  const waiting: Waiting[] = [];
  let closed = false;

  const send = (thread: Thread, message: ToThread): void => thread.worker.postMessage(message);
  const next = (thread: Thread): void => {
    if (closed || thread.settle !== undefined) return;
    const preferred = waiting.findIndex(({ shardId }) => thread.known.has(shardId));
    waiting.splice(Math.max(preferred, 0), 1)[0]?.start(thread);
  };
  const startThread = (): void => {
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const link = device?.link();
    const workerData: ThreadData = { cancelled, device: link, methods: loadedMethods() };
    const worker = new Worker(ENTRY, { workerData, transferList: link === undefined ? [] : [link.port] });
    const thread: Thread = { worker, cancelled, known: new Set(), settle: undefined };
    threads.add(thread);
    const finish = (): Thread["settle"] => {
      const { settle } = thread;
      thread.settle = undefined;
      return settle;
    };
    let failure = "it ended";
    worker.on("message", (message: FromThread) => {
      const settle = finish();
      if (message.kind === "done") settle?.resolve(message);
      else settle?.reject(new AmalgamError(message.code, message.message));
      next(thread);
    });
    worker.on("error", (error) => {
      failure = describeFailure(error).message;
      log.error({ err: error }, "a compute thread failed");
    });
    worker.on("exit", () => {
      threads.delete(thread);
      const dead = new AmalgamError("aborted", `a compute thread failed: ${failure}`);
      finish()?.reject(dead);
      // The next task starts another thread; started from here, one that cannot even load would be replaced for ever.
      if (threads.size === 0) for (const entry of waiting.splice(0)) entry.reject(dead);
    });
    next(thread);
  };
  for (let i = 0; i < size; i++) startThread();

  const start = (
    thread: Thread,
    { shard, derive, task }: ComputeRequest,
    signal: AbortSignal,
  ): Promise<ComputeAnswer> => {
    const { promise, resolve, reject } = Promise.withResolvers<ComputeAnswer>();
    thread.settle = { resolve, reject };
    Atomics.store(thread.cancelled, 0, 0);
    if (!thread.known.has(shard.id)) {
      thread.known.add(shard.id);
      send(thread, { kind: "shard", shard });
    }
    send(thread, { kind: "task", shardId: shard.id, derive, task });
    const cancel = (): void => void Atomics.store(thread.cancelled, 0, 1);
    signal.addEventListener("abort", cancel, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", cancel));
  };

  return {
    run(request, { signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<ComputeAnswer>();
      const entry: Waiting = {
        shardId: request.shard.id,
        start: (thread) => {
          signal.removeEventListener("abort", giveUp);
          resolve(start(thread, request, signal));
        },
        reject: (error) => {
          signal.removeEventListener("abort", giveUp);
          reject(error);
        },
      };
      const giveUp = (): void => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(new AmalgamError("cancelled", "the lease was given up"));
      };
      if (closed || signal.aborted) {
        reject(new AmalgamError("cancelled", "the lease was given up"));
        return promise;
      }
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.push(entry);
      while (threads.size < size) startThread();
      const free = [...threads].filter(({ settle }) => settle === undefined);
      const thread = free.find(({ known }) => known.has(request.shard.id)) ?? free[0];
      if (thread !== undefined) next(thread);
      return promise;
    },
    forget(shardId) {
      for (const thread of threads) if (thread.known.delete(shardId)) send(thread, { kind: "forget", shardId });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const entry of waiting.splice(0)) entry.reject(new AmalgamError("cancelled", "the worker is closing"));
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}
