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
  backoffMs,
  type ClientPool,
  consume,
  type DeadLetter,
  isRetryable,
  type Logger,
  type Message,
  systemClock,
  toAmalgamError,
} from "@amalgam/runtime";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EvaluatorError } from "../errors.ts";
import { type Estimator, estimators } from "../fisher/answers.ts";
import type { Weights } from "../weights.ts";
import { candidateWeights } from "./candidate-weights.ts";
import { estimateShards } from "./estimate-shards.ts";
import type { HeldEstimate, HeldEstimates } from "./held-estimates.ts";
import { createJobScorers, type JobScorer, type JobScorers } from "./job-scorers.ts";
import { createMergedShards, type MergedShards, ShardsLostError } from "./merged-shards.ts";
import type { EvaluatorMetrics } from "./metrics.ts";
import { scoreMessage } from "./score-message.ts";

export interface EvaluatorOptions {
  readonly evaluatorId: string;
  readonly bus: Bus;
  readonly coordinators: ClientPool<typeof CoordinatorService>;
  readonly workers: ClientPool<typeof ShardService>;
  /** Evaluations under way at a time: one computes while the next fetches its shards. */
  readonly slots: number;
  /** Estimates that this evaluator made. */
  readonly estimates: HeldEstimates;
  /** Threads that compute batches, shared by all slots. */
  readonly threads: number;
  /** onnxruntime's execution provider. */
  readonly provider: string;
  /** Whether tasks may run the commands that they name. */
  readonly allowCommands: boolean;
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
/** How long an evaluator waits for a peer that cannot be reached, and how often it looks. */
const PATIENCE_MS = 30_000;
const BACKOFF = { baseMs: 250, maxMs: 5_000, random: Math.random };

/** Works until `signal` aborts; evaluations under way are then given back to the bus. */
export async function runEvaluator(options: EvaluatorOptions, signal: AbortSignal): Promise<void> {
  const shards = createMergedShards(options.workers, options.cacheBytes);
  await using scorers = createJobScorers(options.coordinators, options);
  options.metrics.holds(() => ({ weights: scorers.heldBytes, shards: shards.heldBytes }));
  const candidates = new Map<string, Weights>();
  const work: Work = { options, shards, scorers, candidates, signal };
  const evaluations = options.bus.queue("evaluations");
  const slot = (): Promise<void> =>
    consume(evaluations, (message) => handle(message, work), { signal, log: options.log });
  await Promise.all(Array.from({ length: options.slots }, slot));
}

interface Work {
  readonly options: EvaluatorOptions;
  readonly shards: MergedShards;
  readonly scorers: JobScorers;
  readonly candidates: Map<string, Weights>;
  readonly signal: AbortSignal;
}

async function handle(message: Message, work: Work): Promise<void> {
  const { bus, evaluatorId, log, metrics } = work.options;
  const startedMs = performance.now();
  const evaluation = fromBinary(EvaluationSchema, message.data);
  const { jobId, candidateId, task } = evaluation;
  const outcome = await evaluatePatiently(evaluation, work);
  await publishReport(bus, message.id, evaluatorId, evaluation, outcome);
  const seconds = (performance.now() - startedMs) / 1000;
  metrics.evaluated(outcome.case, seconds);
  log.debug({ job: jobId, candidate: candidateId, task, outcome: outcome.case, seconds }, "evaluated");
}

/**
 * Waits while a peer cannot be reached. The evaluation is not given back meanwhile: whoever took it next would fare no better,
 * and a message that is delivered too often is taken for one that nobody can handle. In the end it is reported as lost, with
 * no shard to blame: a coordinator that is back, perhaps at another address, publishes it anew.
 */
async function evaluatePatiently(evaluation: Evaluation, work: Work): Promise<Outcome> {
  const { jobId, candidateId, task } = evaluation;
  const startedMs = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await evaluate(evaluation, work);
    } catch (thrown) {
      if (work.signal.aborted || !mayPass(toAmalgamError(thrown))) throw thrown;
      if (performance.now() - startedMs > PATIENCE_MS) return { case: "shardsLost", value: { shards: [] } };
      const retryMs = Math.round(backoffMs(attempt, BACKOFF));
      work.options.log.warn({ err: thrown, job: jobId, candidate: candidateId, task, retryMs }, "evaluation waits");
      await systemClock.sleep(retryMs, { signal: work.signal });
    }
  }
}

/** Whether waiting helps: a coordinator that stops cancels its calls, one that starts has no plan yet. */
const mayPass = ({ code }: AmalgamError): boolean =>
  isRetryable(code) || code === "cancelled" || code === "deadline_exceeded";

/**
 * Tells the coordinator that an evaluation was begun too often and never came to an end, so that its trial fails instead of
 * waiting for ever. For the evaluator's end of the bus.
 */
export async function reportDeadLetter(
  bus: Bus,
  evaluatorId: string,
  { queue, id, data, deliveries }: DeadLetter,
): Promise<void> {
  if (queue !== "evaluations") return;
  const message = `${deliveries} evaluators took the evaluation and none finished it; their logs say why`;
  const outcome: Outcome = { case: "failure", value: { code: "aborted", message } };
  await publishReport(bus, id, evaluatorId, fromBinary(EvaluationSchema, data), outcome);
}

/** @param id of the evaluation's message */
async function publishReport(
  bus: Bus,
  id: string,
  evaluatorId: string,
  { jobId, candidateId, task, split, generation, firstPiece }: Evaluation,
  outcome: Outcome,
): Promise<void> {
  const about = { jobId, candidateId, task, split, generation, firstPiece };
  const report = create(ScoreReportSchema, { ...about, evaluatorId, outcome });
  await bus.queue("scores").publish(`${id}/${outcome.case}`, toBinary(ScoreReportSchema, report));
}

/** @throws only what may go better next time: the coordinator or the bus is away, or the process stops */
async function evaluate(evaluation: Evaluation, work: Work): Promise<Outcome> {
  const { scorers, signal } = work;
  const { jobId, task, split } = evaluation;
  try {
    const job = await scorers.get(evaluation, signal);
    if (evaluation.estimation !== undefined) {
      return { case: "estimate", value: estimateMessage(await estimate(evaluation, job, work)) };
    }
    const { scorer, layouts } = job;
    const weights = await weightsOf(evaluation, layouts, work);
    const part = { pieces: evaluation.pieces, first: evaluation.firstPiece, end: evaluation.endPiece };
    const score = await scorer.score(weights, task, split, { signal, part });
    return { case: "score", value: scoreMessage(score) };
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof ShardsLostError) return { case: "shardsLost", value: { shards: [...thrown.shards] } };
    if (thrown instanceof EvaluatorError)
      return { case: "failure", value: { code: "invalid_argument", message: thrown.message } };
    const error = toAmalgamError(thrown);
    if (thrown instanceof AmalgamError && (mayPass(error) || error.code === "not_found")) throw error;
    work.options.log.error({ err: thrown, job: jobId, task }, "evaluation failed by a bug");
    return { case: "failure", value: { code: error.code, message: error.message } };
  }
}

/** One that is still held is not made again: it was lost on the way, or its coordinator was away. */
async function estimate(evaluation: Evaluation, job: JobScorer, work: Work): Promise<HeldEstimate> {
  const { scorer, layouts, fisher } = job;
  const { jobId, candidateId, task, split, specSha256, shards, pieces, firstPiece, endPiece } = evaluation;
  if (fisher === undefined) throw new AmalgamError("internal", `job ${jobId} does not say how importance is estimated`);
  const { estimates } = work.options;
  const part = { pieces, first: firstPiece, end: endPiece };
  const key = JSON.stringify([specSha256, task, split, part, shards.map(({ sha256 }) => sha256)]);
  const name = { jobId, estimateId: candidateId, key };
  const known = estimates.get(name);
  if (known !== undefined) return known;
  // No other evaluation is of these weights: they take no place among those of candidates.
  const weights = candidateWeights(layouts, shards, await work.shards.fetch(jobId, shards, work.signal));
  const startedMs = performance.now();
  const wanted = new Set(fisher.tensors);
  const { items, tensors } = await scorer.fisher(weights, task, split, {
    ...{ items: fisher.items, estimator: estimatorNamed(fisher.estimator), seed: Number(fisher.seed) },
    ...{ part, tensors: wanted, signal: work.signal },
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const cut = items === 0 ? [] : estimateShards(layouts.values(), wanted, tensors);
  return estimates.hold(name, { items, seconds }, cut, evaluation.estimation!.inUse);
}

function estimatorNamed(name: string): Estimator {
  const found = estimators.find((each) => each === name);
  if (found === undefined) throw new AmalgamError("internal", `there is no estimator ${name}`);
  return found;
}

const estimateMessage = ({ items, seconds, shards }: HeldEstimate) => ({ items, seconds, shards: [...shards] });

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
