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
  VERSION,
} from "@amalgam/runtime";
import { type Coordinator, createCoordinator } from "./engine/coordinator.ts";
import { createCoordinatorService } from "./service.ts";
import type { CoordinatorSettings } from "./settings.ts";

/**
 * Runs until `signal` aborts; jobs under way go on after the next start. `ready` gets the address taken.
 * @throws AmalgamError resource_exhausted or data_loss when the journal can no longer be written
 */
export async function runCoordinatorProcess(
  settings: CoordinatorSettings,
  log: Logger,
  signal: AbortSignal,
  ready: (address: string) => void,
): Promise<void> {
  await using scope = new AsyncDisposableStack();
  const registry = new Registry();
  scope.use(collectProcessMetrics({ registry, role: "coordinator", version: VERSION }));
  let coordinator: Coordinator | undefined;
  const bus = scope.use(
    await createNatsBus({
      url: settings.natsUrl,
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
  const { listen, insecure } = settings;
  const server = scope.use(await serve({ address: listen, services, insecure, metrics: registry, log }));
  const address = settings.advertise ?? server.address;
  const { stateDirectory, leaseMs } = settings;
  coordinator = scope.use(createCoordinator({ stateDirectory, bus, shardClients, address, log, registry, leaseMs }));
  if (settings.ops !== undefined) {
    const problems = (): readonly string[] => coordinator?.problems ?? [];
    scope.use(await serveOps({ ...parseAddress(settings.ops), registry, ready: problems }));
  }
  ready(server.address);
  await untilAborted(AbortSignal.any([signal, coordinator.broken]));
  coordinator.broken.throwIfAborted();
  log.info("draining");
}
