// All roles in one process: the coordinator, one shard worker and one evaluator, joined by local clients and the in-process
// bus. The same objects run as processes of a cluster; only what carries their messages differs.
import { availableParallelism, tmpdir } from "node:os";
import { createCoordinator, createCoordinatorService } from "@amalgam/coordinator";
import type { DeviceHost } from "@amalgam/devices";
import { WASM } from "@amalgam/devices/names";
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  type Bus,
  type Client,
  createClientPool,
  createLocalClient,
  createMemoryBus,
  type Logger,
  type ServiceImpl,
} from "@amalgam/runtime";
import { createShardWorker } from "@amalgam/shard-worker";
import { Registry } from "prom-client";

export interface LocalRolesOptions {
  /** Where the journal of the job is kept until it is done. */
  readonly stateDirectory: string;
  readonly threads: number;
  /** Bound on the memory of the shard worker. */
  readonly memoryBytes: number;
  /** What merges. */
  readonly backend: string;
  /** onnxruntime's execution provider that candidates are scored on. */
  readonly provider: string;
  /** Whether tasks may run the commands that they name. */
  readonly allowCommands: boolean;
  /** False for jobs without evaluations: onnxruntime is then not even loaded. */
  readonly evaluates: boolean;
  readonly log: Logger;
}

export interface LocalRoles extends AsyncDisposable {
  readonly client: Client<typeof CoordinatorService>;
}

const COORDINATOR = "local:coordinator";
const WORKER = "local:worker";
const EVALUATOR = "evaluator";
const ESTIMATES = "local:evaluator";
/** Estimates of importance that an evaluator keeps for later candidates; what is needed is kept beyond it, on the disk. */
const ESTIMATE_BYTES = 2 ** 30;
/** Merged shards an evaluator keeps; two candidates of a model that fits a laptop. */
const EVALUATOR_CACHE_BYTES = 2 ** 30;

export const defaultThreads = (): number => availableParallelism();

export async function startLocalRoles(options: LocalRolesOptions): Promise<LocalRoles> {
  const { threads, memoryBytes, log, stateDirectory, backend } = options;
  await using starting = new AsyncDisposableStack();
  const registry = new Registry();
  const stop = new AbortController();
  const shardServices = new Map<string, ServiceImpl<typeof ShardService>>();
  const coordinatorServices = new Map<string, ServiceImpl<typeof CoordinatorService>>();
  const shardClients = starting.use(createClientPool(ShardService, { local: shardServices }));
  const coordinators = starting.use(createClientPool(CoordinatorService, { local: coordinatorServices }));
  const bus: Bus = starting.use(
    createMemoryBus({
      log,
      onDeadLetter: async (letter) => (await import("@amalgam/evaluator")).reportDeadLetter(bus, EVALUATOR, letter),
    }),
  );
  const coordinator = starting.use(
    createCoordinator({ stateDirectory, bus, shardClients, address: COORDINATOR, log, registry }),
  );
  const service = createCoordinatorService(() => coordinator);
  coordinatorServices.set(COORDINATOR, service);
  const client = createLocalClient(CoordinatorService, service);
  const device = backend === WASM ? undefined : await startDeviceOf(backend, threads, memoryBytes);
  if (device !== undefined) starting.use(device);
  const worker = starting.use(
    createShardWorker({
      workerId: "worker",
      address: WORKER,
      threads,
      memoryBytes,
      coordinator: client,
      holders: shardClients,
      storage: "direct",
      device,
      log,
      metrics: registry,
      signal: stop.signal,
    }),
  );
  shardServices.set(WORKER, worker.shardService);
  const running = [worker.run()];
  if (options.evaluates) {
    const { createEvaluatorMetrics, createHeldEstimates, runEvaluator } = await import("@amalgam/evaluator");
    const held = { memoryBytes: ESTIMATE_BYTES, spillDirectory: tmpdir() };
    const estimates = starting.use(createHeldEstimates(ESTIMATES, held));
    shardServices.set(ESTIMATES, estimates.service);
    const metrics = createEvaluatorMetrics(registry, estimates);
    const cacheBytes = EVALUATOR_CACHE_BYTES;
    const evaluatorOptions = {
      evaluatorId: EVALUATOR,
      bus,
      coordinators,
      workers: shardClients,
      slots: 2,
      estimates,
      threads,
      provider: options.provider,
      allowCommands: options.allowCommands,
      cacheBytes,
      log,
      metrics,
    };
    running.push(runEvaluator(evaluatorOptions, stop.signal));
  }
  const roles = starting.move();
  const ended = Promise.allSettled(running);
  return {
    client,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      await roles.disposeAsync();
    },
  };
}

/** Loaded when needed: most jobs merge without a device. */
async function startDeviceOf(backend: string, threads: number, memoryBytes: number): Promise<DeviceHost | undefined> {
  const { startBackend } = await import("@amalgam/devices");
  return startBackend(backend, { threads, memoryBytes });
}
