// A shard worker: keeps a session with the coordinator, obeys its leases and serves the merged shards it holds. The same
// object works in one process (a local client) and as a process of its own (gRPC); it does no arithmetic itself.
import { tmpdir } from "node:os";
import { type DeviceHost, WASM } from "@amalgam/devices";
import type { CoordinatorService, ShardService, WorkResponse } from "@amalgam/proto";
import {
  AmalgamError,
  backoffMs,
  type Client,
  type ClientPool,
  createHeldShards,
  createShardService,
  type Logger,
  type Registry,
  type ServiceImpl,
  systemClock,
  VERSION,
} from "@amalgam/runtime";
import { createComputePool } from "./compute-pool.ts";
import { createLeaseQueue } from "./lease-queue.ts";
import { createLeaseRunner, type LoadedShard } from "./lease-runner.ts";
import { createMemoryPool } from "./memory-pool.ts";
import { createOutputFiles } from "./output-files.ts";
import { openSession, type SessionLink } from "./session-link.ts";
import { createStorage, type StorageMode } from "./storage.ts";
import { createWorkerMetrics } from "./worker-metrics.ts";

export interface ShardWorkerOptions {
  /** Unique among the workers of a coordinator. */
  readonly workerId: string;
  /** Where ShardService is served for others: "host:port", or "local:<id>" inside one process. */
  readonly address: string;
  /** Compute threads. */
  readonly threads: number;
  /** Bound on memory: at most a quarter for merged shards held, the rest for shards being merged or resident. */
  readonly memoryBytes: number;
  /** Where held shards go that do not fit in memory; the system's temporary directory by default. */
  readonly spillDirectory?: string;
  readonly coordinator: Client<typeof CoordinatorService>;
  /** Who holds estimates that candidates are merged with. */
  readonly holders: ClientPool<typeof ShardService>;
  /**
   * direct: read and write files, fail where they differ from the coordinator's; stream: all bytes over RPC; auto: direct
   * where the storage is the same.
   */
  readonly storage: StorageMode;
  /** Merges shards of jobs with its back-end; without one the worker merges with WebAssembly kernels only. */
  readonly device?: DeviceHost | undefined;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Aborting it drains the worker. */
  readonly signal: AbortSignal;
}

/** Disposing drains (leases under way are finished) and stops the threads. */
export interface ShardWorker extends AsyncDisposable {
  /** Keeps a session with the coordinator, connecting again whenever it breaks; resolves when the worker has drained. */
  run(): Promise<void>;
  readonly shardService: ServiceImpl<typeof ShardService>;
  /** Whether the coordinator has welcomed this worker and the session is open. */
  readonly connected: boolean;
}

const BACKOFF = { baseMs: 200, maxMs: 5_000, random: Math.random };

/** Starts the compute threads; nothing else happens before `run`. */
export function createShardWorker(options: ShardWorkerOptions): ShardWorker {
  const { workerId, address, threads, memoryBytes, coordinator, holders, log, signal } = options;
  const compute = createComputePool(threads, log, options.device);
  const heldBytes = Math.floor(memoryBytes / 4);
  const held = createHeldShards({ memoryBytes: heldBytes, spillDirectory: options.spillDirectory ?? tmpdir() });
  const memory = createMemoryPool<LoadedShard>({
    mostBytes: memoryBytes - heldBytes,
    budgetBytes: () => memoryBytes - held.memoryBytes,
    onDiscard: ({ id }) => compute.forget(id),
  });
  // For each thread one lease computes, the next one's inputs are read, and the one before is put on the disk.
  const slots = threads * 3;
  const metrics = createWorkerMetrics(options.metrics, workerId);
  const storage = createStorage(options.storage, (file, reason) =>
    log.warn({ file, reason }, "this file is streamed from the coordinator"),
  );
  const outputs = createOutputFiles();
  const runner = createLeaseRunner({
    coordinator,
    compute,
    memory,
    held,
    holders,
    storage,
    outputs,
    storageMode: options.storage,
    metrics,
  });
  const draining = new AbortController();
  let link: SessionLink | undefined;
  let welcomed = false;

  const queue = createLeaseQueue({
    runner,
    limit: slots,
    log,
    onReport: (report) => link?.send(report),
    onChange(event) {
      // What a heartbeat does not name is given up: the coordinator need not wait for the next one to know.
      if (event.kind === "drop" || event.kind === "forget") heartbeat();
      metrics.load({
        residentBytes: memory.residentBytes,
        memoryBytes: memory.totalBytes,
        heldBytes: held.memoryBytes,
        spilledBytes: held.fileBytes,
        slots,
        leases: queue.leaseIds.length,
      });
      if (draining.signal.aborted && queue.leaseIds.length === 0) link?.end();
    },
  });
  const heartbeat = (): void => link?.send({ case: "heartbeat", value: { leaseIds: queue.leaseIds } });

  const obey = ({ message }: WorkResponse): void => {
    switch (message.case) {
      case "welcome":
        log.info({ epoch: Number(message.value.epoch) }, "connected to the coordinator");
        welcomed = true;
        queue.apply({ kind: "welcome", epoch: message.value.epoch });
        link?.every(message.value.heartbeatMs, heartbeat);
        return;
      case "lease":
        queue.apply({ kind: "lease", lease: message.value });
        return;
      case "drop": {
        const { jobId, candidateIds } = message.value;
        held.drop(jobId, candidateIds);
        queue.apply({ kind: "drop", jobId, candidateIds });
        return;
      }
      case "forget":
        runner.forget(message.value.jobId);
        queue.apply({ kind: "forget", jobId: message.value.jobId });
        return;
      case undefined:
        // Something only a newer coordinator knows; it does not depend on an answer.
        return;
      default:
        message satisfies never;
    }
  };

  const session = async (): Promise<void> => {
    const backend = options.device?.backend ?? WASM;
    const facts = { workerId, address, slots, memoryBytes: BigInt(memoryBytes), backend, version: VERSION };
    const heldShards = held.list().map((shard) => ({ ...shard, byteLength: BigInt(shard.byteLength) }));
    link = openSession(coordinator, { ...facts, held: heldShards });
    try {
      if (draining.signal.aborted) sayGoodbye();
      for await (const response of link.responses) obey(response);
    } finally {
      link.close();
      link = undefined;
      queue.apply({ kind: "closed" });
    }
  };

  const loop = async (): Promise<void> => {
    for (let attempt = 0; !draining.signal.aborted; attempt++) {
      welcomed = false;
      const err = await session().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (draining.signal.aborted) return;
      if (welcomed) attempt = 0;
      const retryMs = Math.round(backoffMs(attempt, BACKOFF));
      log.warn(
        { reason: err instanceof Error ? err.message : undefined, retryMs },
        "no session with the coordinator; connecting again",
      );
      await systemClock.sleep(retryMs, { signal: draining.signal }).catch(() => {});
    }
  };

  const sayGoodbye = (): void => {
    link?.send({ case: "leaving", value: {} });
    if (queue.leaseIds.length === 0) link?.end();
  };
  const drain = (): void => {
    if (draining.signal.aborted) return;
    log.info({ leases: queue.leaseIds.length }, "draining");
    draining.abort();
    sayGoodbye();
  };
  if (signal.aborted) drain();
  else signal.addEventListener("abort", drain, { once: true });

  let running: Promise<void> | undefined;
  return {
    run() {
      if (running !== undefined) throw new AmalgamError("failed_precondition", "the worker runs already");
      running = loop();
      return running;
    },
    shardService: createShardService(held),
    get connected() {
      return queue.epoch !== undefined;
    },
    async [Symbol.asyncDispose]() {
      drain();
      await running;
      await compute[Symbol.asyncDispose]();
      await held[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
      await outputs[Symbol.asyncDispose]();
      signal.removeEventListener("abort", drain);
    },
  };
}
