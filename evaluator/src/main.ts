// The evaluator as a process: names the concrete parts and joins them. Configuration comes from whoever starts it.
import { availableParallelism, hostname, tmpdir } from "node:os";
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  type Bus,
  bindService,
  collectProcessMetrics,
  createClientPool,
  createNatsBus,
  type Logger,
  parseAddress,
  Registry,
  reachable,
  type ServiceImpl,
  serve,
  serveOps,
  VERSION,
} from "@amalgam/runtime";
import { reportDeadLetter, runEvaluator } from "./role/evaluator.ts";
import { createHeldEstimates, type HeldEstimates } from "./role/held-estimates.ts";
import { createEvaluatorMetrics } from "./role/metrics.ts";
import { providersOf } from "./session/providers.ts";
import type { EvaluatorSettings } from "./settings.ts";

/** Runs until `signal` aborts; evaluations under way are given back to the bus. `ready` gets the address taken. */
export async function runEvaluatorProcess(
  settings: EvaluatorSettings,
  log: Logger,
  signal: AbortSignal,
  ready: (address: string) => void,
): Promise<void> {
  const {
    id: evaluatorId = `${hostname()}-${process.pid}`,
    threads = availableParallelism(),
    provider,
    allowCommands,
    slots,
    cacheBytes,
    estimateBytes,
    listen,
  } = settings;
  // A provider that is not there is found now, and not with the first job.
  providersOf(provider);
  await using scope = new AsyncDisposableStack();
  const registry = new Registry();
  scope.use(collectProcessMetrics({ registry, role: "evaluator", version: VERSION }));
  const bus: Bus = scope.use(
    await createNatsBus({
      url: settings.natsUrl,
      log,
      metrics: registry,
      onDeadLetter: (letter) => reportDeadLetter(bus, evaluatorId, letter),
    }),
  );
  const coordinators = scope.use(createClientPool(CoordinatorService));
  const workers = scope.use(createClientPool(ShardService));
  // The estimates must know their address, and the server must be there first to take one.
  let estimates: HeldEstimates | undefined;
  const impl: ServiceImpl<typeof ShardService> = {
    fetchShard: (request, context) => estimates!.service.fetchShard(request, context),
  };
  const services = [bindService(ShardService, impl)];
  const server = scope.use(
    await serve({ address: listen, services, insecure: settings.insecure, metrics: registry, log }),
  );
  const address = settings.advertise ?? reachable(server.address);
  estimates = scope.use(createHeldEstimates(address, { memoryBytes: estimateBytes, spillDirectory: tmpdir() }));
  if (settings.ops !== undefined) {
    const problems = (): string[] => (bus.connected ? [] : ["the NATS server cannot be reached"]);
    scope.use(await serveOps({ ...parseAddress(settings.ops), registry, ready: problems }));
  }
  ready(server.address);
  log.info({ evaluator: evaluatorId, address, threads, provider }, "evaluator started");
  await runEvaluator(
    {
      evaluatorId,
      threads,
      provider,
      allowCommands,
      slots,
      cacheBytes,
      estimates,
      bus,
      coordinators,
      workers,
      log,
      metrics: createEvaluatorMetrics(registry, estimates),
    },
    signal,
  );
}
