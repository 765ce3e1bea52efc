// The shard worker role: moves bytes and runs kernels. It decides nothing about merges; the coordinator's leases do.
export type { StorageMode } from "./storage.ts";
export { type LeaseTiming, timeLease } from "./time-lease.ts";
export { createShardWorker, type ShardWorker, type ShardWorkerOptions } from "./worker.ts";
