// The shard worker as a process: names the concrete parts and joins them. Settings come from whoever starts it.
import { availableParallelism, hostname, totalmem } from "node:os";
import { startBackend } from "@amalgam/devices";
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  bindService,
  collectProcessMetrics,
  createClient,
  createClientPool,
  type Logger,
  parseAddress,
  Registry,
  reachable,
  type ServiceImpl,
  serve,
  serveOps,
  VERSION,
} from "@amalgam/runtime";
import type { ShardWorkerSettings } from "./settings.ts";
import { createShardWorker, type ShardWorker } from "./worker.ts";

/** Runs until `signal` aborts, then drains: leases under way are finished. `ready` gets the address taken. */
export async function runShardWorkerProcess(
  settings: ShardWorkerSettings,
  log: Logger,
  signal: AbortSignal,
  ready: (address: string) => void,
): Promise<void> {
  const {
    id: workerId = `${hostname()}-${process.pid}`,
    threads = availableParallelism(),
    memoryBytes = Math.floor(totalmem() / 2),
    coordinatorAddress,
    storage,
  } = settings;
  await using scope = new AsyncDisposableStack();
  const metrics = new Registry();
  scope.use(collectProcessMetrics({ registry: metrics, role: "worker", version: VERSION }));
  const coordinator = scope.use(createClient(CoordinatorService, coordinatorAddress));
  const holders = scope.use(createClientPool(ShardService));
  // The worker must know its address, and the server must be there first to take one.
  let worker: ShardWorker | undefined;
  const impl: ServiceImpl<typeof ShardService> = {
    fetchShard: (request, context) => worker!.shardService.fetchShard(request, context),
  };
  const services = [bindService(ShardService, impl)];
  const server = scope.use(
    await serve({ address: settings.listen, services, insecure: settings.insecure, metrics, log }),
  );
  const device = await startBackend(settings.backend, { threads, memoryBytes });
  if (device !== undefined) scope.use(device);
  const address = settings.advertise ?? reachable(server.address);
  worker = scope.use(
    createShardWorker({
      ...{ workerId, address, threads, memoryBytes, coordinator, holders },
      ...{ storage, device, log, metrics, signal },
    }),
  );
  if (settings.ops !== undefined) {
    const problems = (): string[] =>
      worker?.connected ? [] : [`no session with the coordinator at ${coordinatorAddress}`];
    scope.use(await serveOps({ ...parseAddress(settings.ops), registry: metrics, ready: problems }));
  }
  ready(server.address);
  const backend = device?.backend ?? settings.backend;
  log.info(
    { worker: workerId, address, threads, memoryBytes, backend, device: device?.description },
    "shard worker started",
  );
  await worker.run();
}
