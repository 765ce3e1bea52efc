// The shard worker as a process: names the concrete parts and joins them. Settings come from whoever starts it.
import { hostname } from "node:os";
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  bindService,
  collectProcessMetrics,
  createClient,
  joinAddress,
  type Logger,
  parseAddress,
  Registry,
  type ServiceImpl,
  serve,
  serveOps,
} from "@amalgam/runtime";
import type { StorageMode } from "./storage.ts";
import { VERSION } from "./version.ts";
import { createShardWorker, type ShardWorker } from "./worker.ts";

export type { StorageMode } from "./storage.ts";

export interface ShardWorkerConfig {
  /** Unique among the workers of a coordinator. */
  readonly workerId: string;
  /** "host:port" of the coordinator. */
  readonly coordinatorAddress: string;
  /** "host:port" for gRPC; port 0 takes a free one. */
  readonly listen: string;
  /** "host:port" under which others reach it; by default the address taken, with this machine's name for a wildcard. */
  readonly advertise: string | undefined;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly storage: StorageMode;
  /** "host:port" for /metrics, /healthz and /readyz; undefined serves none. */
  readonly ops: string | undefined;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
}

/** Runs until `signal` aborts, then drains: leases under way are finished. `ready` gets the address taken. */
export async function runShardWorkerProcess(
  config: ShardWorkerConfig,
  log: Logger,
  signal: AbortSignal,
  ready: (address: string) => void,
): Promise<void> {
  const { workerId, coordinatorAddress, threads, memoryBytes, storage } = config;
  await using scope = new AsyncDisposableStack();
  const metrics = new Registry();
  scope.use(collectProcessMetrics({ registry: metrics, role: "worker", version: VERSION }));
  const coordinator = scope.use(createClient(CoordinatorService, coordinatorAddress));
  // The worker must know its address, and the server must be there first to take one.
  let worker: ShardWorker | undefined;
  const impl: ServiceImpl<typeof ShardService> = {
    fetchShard: (request, context) => worker!.shardService.fetchShard(request, context),
  };
  const services = [bindService(ShardService, impl)];
  const server = scope.use(await serve({ address: config.listen, services, insecure: config.insecure, metrics, log }));
  const address = config.advertise ?? reachable(server.address);
  worker = scope.use(
    createShardWorker({ workerId, address, threads, memoryBytes, coordinator, storage, log, metrics, signal }),
  );
  if (config.ops !== undefined) {
    const problems = (): string[] =>
      worker?.connected ? [] : [`no session with the coordinator at ${coordinatorAddress}`];
    scope.use(await serveOps({ ...parseAddress(config.ops), registry: metrics, ready: problems }));
  }
  ready(server.address);
  log.info({ worker: workerId, address, threads, memoryBytes }, "shard worker started");
  await worker.run();
}

/** A wildcard is no address that others can dial. */
function reachable(address: string): string {
  const { host, port } = parseAddress(address);
  return host === "0.0.0.0" || host === "::" ? joinAddress(hostname(), port) : address;
}
