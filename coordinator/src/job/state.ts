// A job's durable state: the fold of its journal. Pure; knows nothing of workers, leases or files.
import type { JobEvent, JobSpec, Score } from "./events.ts";

export interface TrialState {
  readonly candidateId: string;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly origin: string;
}

export interface JobState {
  readonly spec: JobSpec;
  readonly planDigest: string | undefined;
  /** Proposed trials in the order of their numbers. */
  readonly trials: readonly TrialState[];
  /** Scores by candidate, then task. */
  readonly scores: ReadonlyMap<string, ReadonlyMap<string, Score>>;
  /** How often the evaluation of `candidate/task` was lost. */
  readonly generations: ReadonlyMap<string, number>;
  /** Problems by candidate. */
  readonly failures: ReadonlyMap<string, string>;
  readonly recommended: Extract<JobEvent, { type: "recommended" }> | undefined;
  /** Digests of the segments of every shard that lies, synced, in the staging directory. */
  readonly written: ReadonlyMap<number, readonly string[]>;
  readonly end:
    | { readonly kind: "published" }
    | { readonly kind: "failed"; readonly code: string; readonly problem: string }
    | { readonly kind: "cancelled" }
    | undefined;
}

const initial = (spec: JobSpec): JobState => ({
  spec,
  planDigest: undefined,
  trials: [],
  scores: new Map(),
  generations: new Map(),
  failures: new Map(),
  recommended: undefined,
  written: new Map(),
  end: undefined,
});

export const evaluationKey = (candidateId: string, task: string): string => `${candidateId}/${task}`;

/**
 * Applies one event. Facts that are already known (a second score for the same candidate and task, a second commit of
 * a shard) leave the state as it is: the first wins, so late and duplicate messages can do no harm.
 * @throws Error when the journal does not begin with `submitted`
 */
export function reduce(state: JobState | undefined, event: JobEvent): JobState {
  if (event.type === "submitted") return state ?? initial(event.spec);
  if (state === undefined) throw new Error(`a job's journal begins with "submitted", not with "${event.type}"`);
  switch (event.type) {
    case "resumed":
      return { ...state, end: undefined };
    case "restarted":
      return initial(event.spec);
    case "planned":
      return { ...state, planDigest: event.planDigest };
    case "proposed": {
      if (state.trials.some((trial) => trial.candidateId === event.candidateId)) return state;
      const { candidateId, coefficients, origin } = event;
      return { ...state, trials: [...state.trials, { candidateId, coefficients, origin }] };
    }
    case "scored": {
      const scores = state.scores.get(event.candidateId);
      if (scores?.has(event.task)) return state;
      const next = new Map(scores).set(event.task, event.score);
      return { ...state, scores: new Map(state.scores).set(event.candidateId, next) };
    }
    case "evaluationLost": {
      const key = evaluationKey(event.candidateId, event.task);
      return { ...state, generations: new Map(state.generations).set(key, (state.generations.get(key) ?? 0) + 1) };
    }
    case "candidateFailed":
      if (state.failures.has(event.candidateId)) return state;
      return { ...state, failures: new Map(state.failures).set(event.candidateId, event.problem) };
    case "recommended":
      return { ...state, recommended: state.recommended ?? event };
    case "shardWritten":
      if (state.written.has(event.shard)) return state;
      return { ...state, written: new Map(state.written).set(event.shard, event.segmentSha256) };
    case "published":
      return { ...state, end: { kind: "published" } };
    case "failed":
      return { ...state, end: state.end ?? { kind: "failed", code: event.code, problem: event.problem } };
    case "cancelled":
      return { ...state, end: state.end ?? { kind: "cancelled" } };
    default:
      throw new Error(`unknown journal event ${JSON.stringify(event satisfies never)}`);
  }
}

/** Whether every task has a score, or the candidate failed. */
export function isSettled(state: JobState, candidateId: string, tasks: readonly string[]): boolean {
  if (state.failures.has(candidateId)) return true;
  const scores = state.scores.get(candidateId);
  return tasks.every((task) => scores?.has(task));
}

/** Mean accuracy over the tasks with its standard error (tasks are independent samples); undefined until all are in. */
export function objective(
  state: JobState,
  candidateId: string,
  tasks: readonly string[],
): { readonly value: number; readonly standardError: number } | undefined {
  const scores = state.scores.get(candidateId);
  if (scores === undefined || tasks.length === 0 || !tasks.every((task) => scores.has(task))) return undefined;
  let sum = 0;
  let variance = 0;
  for (const task of tasks) {
    const score = scores.get(task)!;
    sum += score.accuracy;
    variance += score.standardError ** 2;
  }
  return { value: sum / tasks.length, standardError: Math.sqrt(variance) / tasks.length };
}
