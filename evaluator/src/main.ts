// The evaluator as a process: names the concrete parts and joins them. Configuration comes from whoever starts it.
import { availableParallelism, hostname } from "node:os";
import { CoordinatorService, ShardService } from "@amalgam/proto";
import {
  type Bus,
  collectProcessMetrics,
  createClientPool,
  createNatsBus,
  type Logger,
  parseAddress,
  Registry,
  serveOps,
  VERSION,
} from "@amalgam/runtime";
import { reportDeadLetter, runEvaluator } from "./evaluator.ts";
import { createEvaluatorMetrics } from "./metrics.ts";
import { providersOf } from "./providers.ts";
import type { EvaluatorSettings } from "./settings.ts";

/** Runs until `signal` aborts; evaluations under way are given back to the bus. */
export async function runEvaluatorProcess(
  settings: EvaluatorSettings,
  log: Logger,
  signal: AbortSignal,
  ready: () => void,
): Promise<void> {
  const {
    id: evaluatorId = `${hostname()}-${process.pid}`,
    threads = availableParallelism(),
    provider,
    slots,
    cacheBytes,
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
  if (settings.ops !== undefined) {
    const problems = (): string[] => (bus.connected ? [] : ["the NATS server cannot be reached"]);
    scope.use(await serveOps({ ...parseAddress(settings.ops), registry, ready: problems }));
  }
  ready();
  log.info({ evaluator: evaluatorId, threads, provider }, "evaluator started");
  await runEvaluator(
    {
      evaluatorId,
      threads,
      provider,
      slots,
      cacheBytes,
      bus,
      coordinators,
      workers,
      log,
      metrics: createEvaluatorMetrics(registry),
    },
    signal,
  );
}
