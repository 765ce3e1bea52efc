// The evaluator role: takes evaluations from the bus one at a time, scores them, and puts score reports on the bus. A report
// is published before its evaluation is acknowledged, so a crash between the two scores again and never loses a score.
import {
  type CoordinatorService,
  type Evaluation,
  EvaluationSchema,
  ScoreReportSchema,
  type ShardService,
} from "@amalgam/proto";
import {
  AmalgamError,
  type Bus,
  type ClientPool,
  type Delivery,
  isRetryable,
  type Logger,
  toAmalgamError,
} from "@amalgam/runtime";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { candidateWeights } from "./candidate-weights.ts";
import { EvaluatorError } from "./errors.ts";
import { createJobScorers, type JobScorers } from "./job-scorers.ts";
import { createMergedShards, type MergedShards, ShardsLostError } from "./merged-shards.ts";
import type { EvaluatorMetrics } from "./metrics.ts";
import type { Weights } from "./weights.ts";

export interface EvaluatorOptions {
  readonly evaluatorId: string;
  readonly bus: Bus;
  readonly coordinators: ClientPool<typeof CoordinatorService>;
  readonly workers: ClientPool<typeof ShardService>;
  /** Evaluations under way at a time: one computes while the next fetches its shards. */
  readonly slots: number;
  /** Threads that compute batches, shared by all slots. */
  readonly threads: number;
  /** Bytes of merged shards kept between evaluations. */
  readonly cacheBytes: number;
  readonly log: Logger;
  readonly metrics: EvaluatorMetrics;
}

type Outcome = Exclude<
  NonNullable<Exclude<MessageInitShape<typeof ScoreReportSchema>, { $typeName: string }>["outcome"]>,
  { case: undefined }
>;

/** Weights objects kept so that the tasks of one candidate share what the scorer has loaded. */
const KEPT_CANDIDATES = 4;
const RETRY_MS = 1_000;
const WORKING_MS = 5_000;

/** Works until `signal` aborts; evaluations under way are then given back to the bus. */
export async function runEvaluator(options: EvaluatorOptions, signal: AbortSignal): Promise<void> {
  const shards = createMergedShards(options.workers, options.cacheBytes);
  await using scorers = createJobScorers(options.coordinators, options);
  const candidates = new Map<string, Weights>();
  const slot = async (): Promise<void> => {
    for await (const delivery of options.bus.queue("evaluations").pull({ signal })) {
      await handle(delivery, { options, shards, scorers, candidates, signal });
    }
  };
  await Promise.all(Array.from({ length: options.slots }, slot));
}

interface Work {
  readonly options: EvaluatorOptions;
  readonly shards: MergedShards;
  readonly scorers: JobScorers;
  readonly candidates: Map<string, Weights>;
  readonly signal: AbortSignal;
}

async function handle(delivery: Delivery, work: Work): Promise<void> {
  const { bus, evaluatorId, log, metrics } = work.options;
  const startedMs = performance.now();
  const evaluation = fromBinary(EvaluationSchema, delivery.data);
  const { jobId, candidateId, task, split, generation } = evaluation;
  const heartbeat = setInterval(() => delivery.working(), WORKING_MS);
  try {
    const outcome = await evaluate(evaluation, work);
    const report = create(ScoreReportSchema, { jobId, candidateId, task, split, generation, evaluatorId, outcome });
    await bus.queue("scores").publish(`${delivery.id}/${outcome.case}`, toBinary(ScoreReportSchema, report));
    await delivery.ack();
    const seconds = (performance.now() - startedMs) / 1000;
    metrics.evaluated(outcome.case, seconds);
    log.debug({ job: jobId, candidate: candidateId, task, outcome: outcome.case, seconds }, "evaluated");
  } catch (thrown) {
    delivery.retry(work.signal.aborted ? 0 : RETRY_MS);
    if (work.signal.aborted) return;
    metrics.evaluated("retried", (performance.now() - startedMs) / 1000);
    log.warn({ err: thrown, job: jobId, candidate: candidateId, task }, "evaluation given back");
  } finally {
    clearInterval(heartbeat);
  }
}

/** @throws only what may go better next time: the coordinator or the bus is away, or the process stops */
async function evaluate(evaluation: Evaluation, work: Work): Promise<Outcome> {
  const { scorers, signal } = work;
  const { jobId, task, split, coordinatorAddress } = evaluation;
  try {
    const { scorer, layouts } = await scorers.get(jobId, coordinatorAddress, signal);
    const weights = await weightsOf(evaluation, layouts, work);
    const { items, correct, accuracy, standardError, loss } = await scorer.score(weights, task, split, { signal });
    return { case: "score", value: { items, correct, accuracy, standardError, loss } };
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof ShardsLostError) return { case: "shardsLost", value: { shards: [...thrown.shards] } };
    if (thrown instanceof EvaluatorError)
      return { case: "failure", value: { code: "invalid_argument", message: thrown.message } };
    const error = toAmalgamError(thrown);
    if (thrown instanceof AmalgamError && (isRetryable(error.code) || error.code === "not_found")) throw error;
    work.options.log.error({ err: thrown, job: jobId, task }, "evaluation failed by a bug");
    return { case: "failure", value: { code: error.code, message: error.message } };
  }
}

async function weightsOf(
  { jobId, shards: locations }: Evaluation,
  layouts: Parameters<typeof candidateWeights>[0],
  { candidates, shards, signal }: Work,
): Promise<Weights> {
  const key = `${jobId}/${locations.map(({ sha256 }) => sha256).join("/")}`;
  const known = candidates.get(key);
  if (known !== undefined) return known;
  const bytes = await shards.fetch(jobId, locations, signal);
  const weights = candidates.get(key) ?? candidateWeights(layouts, locations, bytes);
  candidates.set(key, weights);
  for (const oldest of [...candidates.keys()].slice(0, Math.max(0, candidates.size - KEPT_CANDIDATES))) {
    candidates.delete(oldest);
  }
  return weights;
}
