// Runs one job: takes the steps that `decide` names, records what came of them, and asks again. Nothing here decides;
// nothing is acted on before it is in the journal.
import { checkOutput } from "@amalgam/checkpoint";
import type { ScoreReport, ShardService } from "@amalgam/proto";
import {
  AmalgamError,
  type Bus,
  type ClientPool,
  isErrorCode,
  isPermanent,
  type Logger,
  systemClock,
  toAmalgamError,
} from "@amalgam/runtime";
import type { Fleet } from "../fleet/fleet.ts";
import { GivenInputLost } from "../fleet/given-input-lost.ts";
import { decide, FINAL_ID, type Step, trialId } from "../job/decide.ts";
import { isEstimate } from "../job/estimates.ts";
import type { JobEvent, JobSpec } from "../job/events.ts";
import { eventsOfReport } from "../job/report.ts";
import { isSettled, type JobState, reduce } from "../job/state.ts";
import type { Journal } from "../journal/journal.ts";
import type { CoordinatorMetrics } from "../metrics.ts";
import { createCandidateRuns } from "./candidate-runs.ts";
import { createEstimating, type Estimating } from "./estimating.ts";
import { createGroupCommit } from "./group-commit.ts";
import type { HeldEstimates } from "./held-estimates.ts";
import { type PreparedJob, prepareJob } from "./prepared-job.ts";
import { isPublished, publishJob, type Staged, stageJob, writeJobShard } from "./publisher.ts";
import { createSearchDriver, type SearchDriver } from "./search-driver.ts";
import { createSearchThread, type SearchThread } from "./search-thread.ts";
import type { StatisticCache } from "./statistics.ts";
import type { CandidateActivity } from "./view.ts";

export interface JobEnvironment {
  readonly journal: Journal;
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly shardClients: ClientPool<typeof ShardService>;
  /** Where evaluators reach this coordinator. */
  readonly address: string;
  readonly log: Logger;
  readonly metrics: CoordinatorMetrics;
  changed(jobId: string): void;
  /** The journal cannot be written, so nothing more may be decided. */
  broken(error: unknown): void;
}

export interface JobRunner extends AsyncDisposable {
  readonly jobId: string;
  readonly state: JobState;
  readonly prepared: PreparedJob | undefined;
  readonly activities: ReadonlyMap<string, CandidateActivity>;
  readonly publishing: boolean;
  /** Opens the inputs, plans, and takes the first steps. Problems end the job. */
  start(): Promise<void>;
  /** A score came from the bus; resolves when it is in the journal, so that the message may be acknowledged. */
  receive(report: ScoreReport): void;
  record(...events: JobEvent[]): void;
  /** The bus may have lost what was published: evaluations without a score are published again, under the same ids. */
  publishAgain(): void;
}

/** Shards that are written within this time are journalled together. A kill may cost them: they are then written again. */
const WRITTEN_TOGETHER_MS = 100;
/** Before a step that met a lost worker is taken again. */
const STEP_AGAIN_MS = 100;

export function createJobRunner(jobId: string, events: readonly JobEvent[], environment: JobEnvironment): JobRunner {
  const { journal, fleet, bus, metrics } = environment;
  const log = environment.log.child({ job: jobId });
  let state = events.reduce<JobState | undefined>(reduce, undefined)!;
  let prepared: PreparedJob | undefined;
  let thread: SearchThread | undefined;
  let staged: Promise<Staged> | undefined;
  let publishing = false;
  const abort = new AbortController();
  const activities = new Map<string, CandidateActivity>();
  const statistics: StatisticCache = new Map();
  let estimating: Estimating | undefined;
  const estimates: Pick<HeldEstimates, "given"> = { given: (slots, shard) => estimating!.held.given(slots, shard) };
  const mergeEnvironment = { fleet, cache: statistics, estimates, signal: abort.signal };
  /** Steps under way, by what they do; a step is started once. */
  const running = new Map<string, Promise<void>>();

  const record = (...news: JobEvent[]): void => {
    if (news.length === 0) return;
    const startedMs = performance.now();
    try {
      journal.append(jobId, news);
    } catch (error) {
      abort.abort(error);
      environment.broken(error);
      throw error;
    }
    metrics.journalled((performance.now() - startedMs) / 1000);
    for (const event of news) state = reduce(state, event);
    metrics.recorded(news);
    environment.changed(jobId);
    if (state.end !== undefined) ended();
    else advance();
  };

  const ended = (): void => {
    abort.abort(new AmalgamError("cancelled", "the job has ended"));
    fleet.forget(jobId);
    activities.clear();
    void Promise.allSettled([bus.queue("evaluations").purge(jobId)]);
    log.info({ end: state.end?.kind }, "job ended");
    void close();
  };

  /** Lets go of inputs and output once the steps under way have stopped: others may want them. */
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await thread?.[Symbol.asyncDispose]();
      await Promise.allSettled(running.values());
      const { staging } = (await staged?.catch(() => undefined)) ?? {};
      const { end } = state;
      // Of a job that can only fail again, nothing is worth keeping.
      if (end?.kind === "failed" && isErrorCode(end.code) && isPermanent(end.code)) await staging?.discard();
      await staging?.[Symbol.asyncDispose]();
      await prepared?.[Symbol.asyncDispose]();
    })().catch((error: unknown) => log.warn({ err: error }, "inputs or output were not closed"));
    return closing;
  };

  const fail = async (thrown: unknown): Promise<void> => {
    if (abort.signal.aborted) return;
    const error = toAmalgamError(thrown);
    if (error instanceof GivenInputLost) record(...(estimating?.lost(state, error) ?? []));
    if (error.code === "aborted") {
      // A worker was lost at a bad moment; the step is still to be taken, and is taken again.
      await systemClock.sleep(STEP_AGAIN_MS, { signal: abort.signal }).catch(() => undefined);
      return;
    }
    if (error.code === "internal") log.error({ err: thrown }, "job failed by a bug");
    try {
      record({ type: "failed", code: error.code, problem: error.message });
    } catch {
      // Nor can the journal be written, and `record` has said so: the next start takes the job up where the journal ends.
    }
  };

  const run = (key: string, work: () => Promise<void>): void => {
    if (running.has(key) || abort.signal.aborted) return;
    const promise = work()
      .catch(fail)
      .finally(() => {
        running.delete(key);
        if (!abort.signal.aborted) advance();
      });
    running.set(key, promise);
  };

  const advance = (): void => {
    if (prepared === undefined || state.end !== undefined) return;
    const { facts, estimatesOf } = prepared;
    for (const step of decide(state, facts, (id) => estimatesOf(state, id))) take(step, prepared);
  };

  const take = (step: Step, job: PreparedJob): void => {
    switch (step.kind) {
      case "begin":
        run("begin", async () => record({ type: "searchBegun", basis: job.searchBasis(state) }));
        break;
      case "propose":
        run("propose", async () => {
          const proposed = await driverOf(job).propose(state, step.trial);
          abort.signal.throwIfAborted();
          if (proposed.kind === "stop") return record({ type: "searchStopped", report: proposed.report });
          const { kind: _, ...trial } = proposed;
          record({ type: "proposed", candidateId: trialId(step.trial), ...trial });
        });
        break;
      case "evaluate": {
        const evaluation = candidates.unpublished(step);
        if (evaluation.tasks.length > 0)
          run(`evaluate ${step.candidateId}`, () => candidates.evaluate(evaluation, job));
        break;
      }
      case "estimate": {
        const { estimateId, candidateIds } = step;
        for (const id of candidateIds) activities.set(id, { stage: "estimating", shardsMerged: 0 });
        const parts = candidates.unpublishedParts(estimateId, job);
        if (parts.length > 0) run(`estimate ${estimateId}`, () => candidates.estimate(estimateId, parts, job));
        break;
      }
      case "giveUp":
        record({ type: "candidateFailed", candidateId: step.candidateId, problem: step.problem });
        settle(step.candidateId);
        break;
      case "endRace": {
        const { kind: _, ...race } = step;
        run(`end race ${race.candidateId}`, async () => {
          record({ type: "raceLost", ...race });
          settle(race.candidateId);
        });
        break;
      }
      case "recommend":
        run("recommend", async () => {
          const recommended = await driverOf(job).recommend(state);
          abort.signal.throwIfAborted();
          record({ type: "recommended", ...recommended });
        });
        break;
      case "write":
        for (const shard of step.shards) run(`write ${shard}`, () => write(shard, job));
        break;
      case "publish":
        run("publish", async () => {
          publishing = true;
          environment.changed(jobId);
          const done = staged === undefined && (await isPublished(job, state));
          const analyse = () => driverOf(job).analyse(state);
          if (!done) await publishJob(await stage(job), job, state, mergeEnvironment, analyse);
          record({ type: "published" });
        });
        break;
      case "fail":
        record({ type: "failed", code: "failed_precondition", problem: step.problem });
        break;
      default:
        step satisfies never;
    }
  };

  const driverOf = ({ facts }: PreparedJob): SearchDriver => {
    thread ??= createSearchThread(state.basis!, log);
    return createSearchDriver(thread, facts);
  };

  const candidates = createCandidateRuns({
    publication: { jobId, bus, address: environment.address, log, signal: abort.signal },
    merging: mergeEnvironment,
    activities,
    state: () => state,
    changed: () => environment.changed(jobId),
    failed(event) {
      record(event);
      if (event.type === "candidateFailed") settle(event.candidateId);
    },
  });

  const stage = (job: PreparedJob): Promise<Staged> => {
    staged ??= stageJob(job, state).then((result) => {
      if (!result.staging.resumed && state.written.size > 0) {
        log.warn("the staging directory is gone: writing every shard again");
        record({ type: "stagingLost" });
      }
      return result;
    });
    return staged;
  };

  const shardsWritten = createGroupCommit<JobEvent>(
    (events) => record(...events),
    () => systemClock.sleep(WRITTEN_TOGETHER_MS, { signal: abort.signal }),
  );

  const write = async (shard: number, job: PreparedJob): Promise<void> => {
    const { mergeId } = job.candidate(state, FINAL_ID);
    const segmentSha256 = await writeJobShard(await stage(job), job, state, shard, {
      environment: mergeEnvironment,
      shardClients: environment.shardClients,
      jobId,
    });
    // An estimate was lost meanwhile, and made again with other values: the shard is of another model.
    if (mergeId !== job.candidate(state, FINAL_ID).mergeId) return;
    await shardsWritten.add({ type: "shardWritten", shard, segmentSha256 });
  };

  const settle = (candidateId: string): void => {
    if (prepared === undefined || isEstimate(candidateId)) return;
    if (!isSettled(state, candidateId, prepared.facts.tasks)) return;
    activities.delete(candidateId);
    fleet.drop(jobId, [prepared.candidate(state, candidateId).mergeId]);
  };

  return {
    jobId,
    get state() {
      return state;
    },
    get prepared() {
      return prepared;
    },
    activities,
    get publishing() {
      return publishing;
    },
    async start() {
      try {
        prepared = await prepareJob(jobId, state.spec, state.pins);
        estimating = createEstimating(prepared, { jobId, fleet, log });
        // Before any work; once the job has begun, what stands there may be its own.
        if (state.planDigest === undefined) await checkOutput(state.spec.outputDirectory, state.spec.overwrite);
        if (abort.signal.aborted) return;
        const { planDigest, facts } = prepared;
        const { pins } = prepared.plan;
        const planned: JobEvent = { type: "planned", planDigest, facts, ...(Object.keys(pins).length > 0 && { pins }) };
        if (state.planDigest !== undefined && state.planDigest !== planDigest) {
          const spec: JobSpec = state.spec;
          log.warn("the inputs changed since the job began: starting it anew");
          fleet.forget(jobId);
          record({ type: "restarted", reason: "the inputs changed", spec }, planned);
          await bus.queue("evaluations").purge(jobId);
        } else if (state.planDigest === undefined) record(planned);
        else if (state.estimates.size > 0 || prepared.plan.slots.some(({ given }) => given))
          record({ type: "estimatesLost" });
        environment.changed(jobId);
        advance();
      } catch (error) {
        await fail(error);
      }
    },
    receive(report) {
      const { candidateId, task, outcome } = report;
      if (isEstimate(candidateId)) {
        // Should it have other values than before: shards that are written count as written, and are written again.
        shardsWritten.flush();
        return record(...(estimating?.eventsOf(state, report) ?? []));
      }
      const news = eventsOfReport(state, report);
      for (const { type } of news) {
        if (type !== "scored") log.warn({ candidate: candidateId, task, outcome }, "an evaluation gave no score");
        // Right after a restart there is no plan yet to name the shards by: should they be lost still, the next report says so.
        const mergeId = type === "evaluationLost" && prepared?.candidate(state, candidateId).mergeId;
        if (outcome.case !== "shardsLost" || !mergeId) continue;
        for (const shard of outcome.value.shards) fleet.lost(jobId, mergeId, shard);
      }
      record(...news);
      settle(candidateId);
    },
    record,
    publishAgain() {
      candidates.publishAgain();
      advance();
    },
    async [Symbol.asyncDispose]() {
      try {
        if (!abort.signal.aborted) shardsWritten.flush();
      } catch {
        // `record` has said so; what was not journalled is written again.
      }
      abort.abort(new AmalgamError("cancelled", "the coordinator stops"));
      fleet.cancel(jobId);
      await close();
    },
  };
}
