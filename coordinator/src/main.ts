// The coordinator as a process: names the concrete parts and joins them. Configuration comes from whoever starts it.
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  bindService,
  collectProcessMetrics,
  createClientPool,
  createNatsBus,
  type Logger,
  parseAddress,
  Registry,
  serve,
  serveOps,
  untilAborted,
} from "@amalgam/runtime";
import { type Coordinator, createCoordinator } from "./engine/coordinator.ts";
import { createCoordinatorService } from "./service.ts";
import { VERSIONS } from "./versions.ts";

export interface CoordinatorConfig {
  /** "host:port" for gRPC; port 0 takes a free one. */
  readonly listen: string;
  /** "host:port" under which evaluators reach it; undefined: where it listens. */
  readonly advertise: string | undefined;
  readonly stateDirectory: string;
  readonly natsUrl: string;
  /** "host:port" for /metrics, /healthz and /readyz; undefined serves none. */
  readonly ops: string | undefined;
  readonly leaseMs: number;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
}

/**
 * Runs until `signal` aborts; jobs under way go on after the next start. `ready` gets the address taken.
 * @throws AmalgamError resource_exhausted or data_loss when the journal can no longer be written
 */
export async function runCoordinatorProcess(
  config: CoordinatorConfig,
  log: Logger,
  signal: AbortSignal,
  ready: (address: string) => void,
): Promise<void> {
  await using scope = new AsyncDisposableStack();
  const registry = new Registry();
  scope.use(collectProcessMetrics({ registry, role: "coordinator", version: VERSIONS["amalgam"]! }));
  let coordinator: Coordinator | undefined;
  const bus = scope.use(
    await createNatsBus({
      url: config.natsUrl,
      log,
      metrics: registry,
      // However often coordinators died with it, a score is never given up: its evaluation will not come again.
      onDeadLetter({ queue, data }) {
        if (queue === "scores") coordinator!.receiveScore(data);
      },
    }),
  );
  const shardClients = scope.use(createClientPool(ShardService));
  // Evaluators are told the address, so the server takes it before there is a coordinator to answer.
  const services = [
    bindService(
      CoordinatorService,
      createCoordinatorService(() => coordinator!),
    ),
  ];
  const { listen, insecure } = config;
  const server = scope.use(await serve({ address: listen, services, insecure, metrics: registry, log }));
  const address = config.advertise ?? server.address;
  const { stateDirectory, leaseMs } = config;
  coordinator = scope.use(createCoordinator({ stateDirectory, bus, shardClients, address, log, registry, leaseMs }));
  if (config.ops !== undefined) {
    const problems = (): readonly string[] => coordinator?.problems ?? [];
    scope.use(await serveOps({ ...parseAddress(config.ops), registry, ready: problems }));
  }
  ready(server.address);
  await untilAborted(AbortSignal.any([signal, coordinator.broken]));
  coordinator.broken.throwIfAborted();
  log.info("draining");
}
