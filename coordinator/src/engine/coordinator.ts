// The coordinator: jobs, the fleet, and the bus, wired around one journal. Everything a service or a command needs of it.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { manifestName } from "@amalgam/checkpoint";
import { type JobView, type ScoreReport, ScoreReportSchema, type ShardService } from "@amalgam/proto";
import { AmalgamError, type Bus, type ClientPool, type Logger, toAmalgamError } from "@amalgam/runtime";
import { fromBinary } from "@bufbuild/protobuf";
import type { Registry } from "prom-client";
import { createFleet, type Fleet } from "../fleet/fleet.ts";
import type { JobEvent, JobSpec } from "../job/events.ts";
import { type JobState, reduce } from "../job/state.ts";
import { openJournal } from "../journal/journal.ts";
import { createCoordinatorMetrics } from "../metrics.ts";
import { createJobRunner, type JobRunner } from "./job-runner.ts";
import { type RecordedStudy, recordedStudy } from "./recorded-study.ts";
import { viewJob } from "./view.ts";
import { createWatchers } from "./watchers.ts";

export interface CoordinatorOptions {
  /** Directory of the journal; one coordinator at a time. */
  readonly stateDirectory: string;
  readonly bus: Bus;
  readonly shardClients: ClientPool<typeof ShardService>;
  /** Where evaluators reach this coordinator: "host:port" or "local:<id>". */
  readonly address: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** A worker that is silent for this long loses its leases. Default 15 000. */
  readonly leaseMs?: number;
  /** Attempts on one task before its job fails. Default 5. */
  readonly maxAttempts?: number;
}

export interface Coordinator extends AsyncDisposable {
  /** @throws AmalgamError already_exists when another job is writing to the same output */
  submit(spec: JobSpec): { readonly jobId: string; readonly resumed: boolean };
  /** @throws AmalgamError not_found */
  view(jobId: string): JobView;
  list(): JobView[];
  cancel(jobId: string): JobView;
  /** The job now and after every change, until it ends. */
  watch(jobId: string, signal: AbortSignal): AsyncIterable<JobView>;
  /**
   * Takes an encoded ScoreReport; when it returns, the score is in the journal or nobody waits for it.
   * @throws AmalgamError invalid_argument for other bytes, resource_exhausted or data_loss when it could not be journalled
   */
  receiveScore(data: Uint8Array): void;
  connectWorker: Fleet["connect"];
  readInput(
    jobId: string,
    file: number,
    offset: number,
    length: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /**
   * The study of a search, as far as it has come.
   * @throws AmalgamError not_found, failed_precondition when the job has none
   */
  study(jobId: string): RecordedStudy;
  /** An encoded EvaluationSpec. */
  evaluationSpec(jobId: string): Uint8Array;
  /** Why it cannot do its work now; empty when it can. */
  readonly problems: readonly string[];
  /** Aborts, with an AmalgamError, when the journal cannot be written: nothing goes on until another coordinator opens it. */
  readonly broken: AbortSignal;
}

/** The same job submitted twice has the same id, which is how a repeated command resumes. */
export function jobIdOf(spec: JobSpec): string {
  const { kind, recipe, baseDirectory, outputDirectory, shardBytes, digestInputs, stagesDirectory, backend } = spec;
  const places = [baseDirectory, outputDirectory, stagesDirectory];
  const identity = [kind, recipe, ...places, shardBytes, digestInputs, backend];
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 12);
}

/** Whether the job is published, its model is still there, and nobody wants it made anew. */
const isDone = ({ end }: JobState, { overwrite, outputDirectory }: JobSpec): boolean =>
  end?.kind === "published" && !overwrite && existsSync(join(outputDirectory, manifestName));

/** Opens the journal, takes up every job that has not ended, and starts reading scores. */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { bus, log } = options;
  const journal = openJournal(join(options.stateDirectory, "journal.sqlite"));
  const stop = new AbortController();
  const broken = new AbortController();
  const runners = new Map<string, JobRunner>();
  const endedJobs = new Map<string, JobState>();
  const watchers = createWatchers();
  const running = (): JobRunner[] => [...runners.values()].filter(({ state }) => state.end === undefined);
  const metrics = createCoordinatorMetrics(options.registry, {
    jobs: () => {
      const counts = new Map<string, number>();
      for (const { state } of list()) counts.set(state, (counts.get(state) ?? 0) + 1);
      return counts;
    },
    workers: () => fleet.workers,
    slots: () => fleet.slots,
    busConnected: () => bus.connected,
  });
  const fleet = createFleet({
    epoch: journal.epoch,
    leaseMs: options.leaseMs ?? 15_000,
    maxAttempts: options.maxAttempts ?? 5,
    log,
    now: () => performance.now(),
    isOpen: (jobId) => runners.get(jobId)?.state.end === undefined && runners.has(jobId),
    changed: () => {
      for (const { jobId } of running()) watchers.changed(jobId);
    },
    attempt: metrics.attempt,
  });
  let busConnections = bus.connections;
  const tick = (): void => {
    fleet.tick();
    if (bus.connections === busConnections) return;
    busConnections = bus.connections;
    for (const runner of running()) runner.publishAgain();
  };
  const ticking = setInterval(tick, Math.max(50, (options.leaseMs ?? 15_000) / 8));

  const startRunner = (jobId: string, events: readonly JobEvent[]): JobRunner => {
    const { shardClients, address } = options;
    const changed = (id: string): void => watchers.changed(id);
    const runner = createJobRunner(jobId, events, {
      journal,
      fleet,
      bus,
      shardClients,
      address,
      log,
      metrics,
      changed,
      broken: (error) => broken.abort(error),
    });
    // An earlier run of the job may not have let go of its output yet.
    const earlier = runners.get(jobId)?.[Symbol.asyncDispose]();
    runners.set(jobId, runner);
    endedJobs.delete(jobId);
    void Promise.resolve(earlier).then(() => runner.start());
    return runner;
  };

  for (const jobId of journal.jobIds()) {
    const events = journal.events(jobId);
    const state = events.reduce<JobState | undefined>(reduce, undefined)!;
    if (state.end === undefined) startRunner(jobId, events);
    else endedJobs.set(jobId, state);
  }
  log.info({ epoch: journal.epoch, jobs: runners.size }, "coordinator started");

  const receiveScore = (data: Uint8Array): void => {
    let report: ScoreReport;
    try {
      report = fromBinary(ScoreReportSchema, data);
    } catch (cause) {
      throw new AmalgamError("invalid_argument", "not a score report", { cause });
    }
    runners.get(report.jobId)?.receive(report);
  };
  const readScores = async (): Promise<void> => {
    const signal = AbortSignal.any([stop.signal, broken.signal]);
    for await (const delivery of bus.queue("scores").pull({ signal })) {
      try {
        receiveScore(delivery.data);
      } catch (thrown) {
        const { code, message } = toAmalgamError(thrown);
        if (code === "invalid_argument") delivery.discard(message);
        else delivery.retry(0);
        continue;
      }
      await delivery
        .ack()
        .catch((error: unknown) => log.warn({ err: error }, "a score was journalled but not acknowledged"));
    }
  };
  const scores = readScores().catch((error: unknown) => {
    if (!stop.signal.aborted) log.error({ err: error }, "reading scores failed");
  });

  const stateOf = (jobId: string): JobState => {
    const state = runners.get(jobId)?.state ?? endedJobs.get(jobId);
    if (state !== undefined) return state;
    throw new AmalgamError("not_found", `there is no job ${jobId}; \`amalgam status\` lists the jobs`);
  };
  const view = (jobId: string): JobView => {
    const runner = runners.get(jobId);
    const state = stateOf(jobId);
    const nobody = new Map<string, never>();
    return viewJob(jobId, state, {
      workers: fleet.workers,
      activities: runner?.activities ?? nobody,
      publishing: runner?.publishing ?? false,
      waitingFor: waitingFor(state.spec),
    });
  };
  const waitingFor = ({ backend }: JobSpec): string => {
    if (fleet.workers === 0) return "no shard worker is connected";
    if (!fleet.offers(backend)) return `no shard worker with the back-end ${backend} is connected`;
    return bus.connected ? "" : "the NATS server cannot be reached";
  };
  const list = (): JobView[] => journal.jobIds().map(view);
  const runnerOf = (jobId: string): JobRunner => {
    const runner = runners.get(jobId);
    if (runner === undefined) throw new AmalgamError("not_found", `job ${jobId} is not running here`);
    return runner;
  };

  return {
    submit(spec) {
      const jobId = jobIdOf(spec);
      const rival = running().find(({ jobId: id, state }) => {
        return id !== jobId && state.spec.outputDirectory === spec.outputDirectory;
      });
      if (rival !== undefined) {
        throw new AmalgamError(
          "already_exists",
          `job ${rival.jobId} is writing to ${spec.outputDirectory}; cancel it or choose another output`,
        );
      }
      const known = runners.get(jobId)?.state ?? endedJobs.get(jobId);
      if (known === undefined) journal.append(jobId, [{ type: "submitted", spec }]);
      else if (known.end === undefined || isDone(known, spec)) return { jobId, resumed: true };
      else if (known.end.kind === "published") {
        journal.append(jobId, [{ type: "restarted", reason: "submitted again after it was published", spec }]);
      } else journal.append(jobId, [{ type: "resumed", spec }]);
      startRunner(jobId, journal.events(jobId));
      return { jobId, resumed: known !== undefined && known.end?.kind !== "published" };
    },
    view,
    list,
    cancel(jobId) {
      const runner = runners.get(jobId);
      if (runner !== undefined && runner.state.end === undefined) runner.record({ type: "cancelled" });
      return view(jobId);
    },
    async *watch(jobId, signal) {
      yield* watchers.watch(jobId, () => view(jobId), AbortSignal.any([signal, broken.signal]));
      if (!signal.aborted) broken.signal.throwIfAborted();
    },
    receiveScore,
    connectWorker: fleet.connect,
    readInput: (jobId, file, offset, length, signal) => {
      const { prepared } = runnerOf(jobId);
      if (prepared === undefined) throw new AmalgamError("unavailable", `job ${jobId} is still being planned`);
      return prepared.readInput(file, offset, length, signal);
    },
    study: (jobId) => recordedStudy(jobId, stateOf(jobId)),
    evaluationSpec(jobId) {
      const { prepared } = runnerOf(jobId);
      if (prepared === undefined) throw new AmalgamError("unavailable", `job ${jobId} is still being planned`);
      return prepared.evaluationSpec.bytes;
    },
    get problems() {
      return bus.connected ? [] : ["the NATS server cannot be reached"];
    },
    broken: broken.signal,
    async [Symbol.asyncDispose]() {
      stop.abort(new AmalgamError("cancelled", "the coordinator stops"));
      clearInterval(ticking);
      await Promise.allSettled([...runners.values()].map((runner) => runner[Symbol.asyncDispose]()));
      await scores;
      watchers.end();
      journal[Symbol.dispose]();
    },
  };
}
