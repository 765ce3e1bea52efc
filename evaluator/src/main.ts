// The evaluator as a process: names the concrete parts and joins them. Configuration comes from whoever starts it.
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
} from "@amalgam/runtime";
import { reportDeadLetter, runEvaluator } from "./evaluator.ts";
import { createEvaluatorMetrics } from "./metrics.ts";

export interface EvaluatorConfig {
  readonly evaluatorId: string;
  readonly natsUrl: string;
  readonly threads: number;
  readonly slots: number;
  readonly cacheBytes: number;
  /** "host:port" for /metrics, /healthz and /readyz; undefined serves none. */
  readonly ops: string | undefined;
}

const VERSION = "0.1.0";

/** Runs until `signal` aborts; evaluations under way are given back to the bus. */
export async function runEvaluatorProcess(
  config: EvaluatorConfig,
  log: Logger,
  signal: AbortSignal,
  ready: () => void,
): Promise<void> {
  await using scope = new AsyncDisposableStack();
  const registry = new Registry();
  scope.use(collectProcessMetrics({ registry, role: "evaluator", version: VERSION }));
  const bus: Bus = scope.use(
    await createNatsBus({
      url: config.natsUrl,
      log,
      metrics: registry,
      onDeadLetter: (letter) => reportDeadLetter(bus, config.evaluatorId, letter),
    }),
  );
  const coordinators = scope.use(createClientPool(CoordinatorService));
  const workers = scope.use(createClientPool(ShardService));
  if (config.ops !== undefined) {
    const problems = (): string[] => (bus.connected ? [] : ["the NATS server cannot be reached"]);
    scope.use(await serveOps({ ...parseAddress(config.ops), registry, ready: problems }));
  }
  ready();
  log.info({ evaluator: config.evaluatorId }, "evaluator started");
  await runEvaluator({ ...config, bus, coordinators, workers, log, metrics: createEvaluatorMetrics(registry) }, signal);
}
