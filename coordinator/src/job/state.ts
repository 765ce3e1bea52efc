// A job's durable state: the fold of its journal. Pure; knows nothing of workers, leases or files.
import type { StopReport } from "@amalgam/optimizer";
import type { Pins } from "../recipe/index.ts";
import { type EstimateState, forgetEstimateProblems, nextEstimateGeneration, reduceEstimates } from "./estimates.ts";
import type { AskRecord, Belief, JobEvent, JobSpec, LostRace, Score, SearchBasis, ViewFacts } from "./events.ts";
import { combineScores } from "./item-results.ts";

export interface TrialState {
  readonly candidateId: string;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly origin: string;
  readonly ask?: AskRecord;
  readonly leader?: Belief;
}

/** The score on the first pieces of a split. */
export interface PartialScore {
  /** Pieces scored so far. */
  readonly end: number;
  readonly score: Score;
}

export interface JobState {
  readonly spec: JobSpec;
  readonly planDigest: string | undefined;
  readonly pins: Pins;
  readonly facts: ViewFacts | undefined;
  readonly basis: SearchBasis | undefined;
  /** Proposed trials in the order of their numbers. */
  readonly trials: readonly TrialState[];
  /** Scores by candidate, then task. */
  readonly scores: ReadonlyMap<string, ReadonlyMap<string, Score>>;
  /** Scores of trials that race, as far as they got, by candidate and task. */
  readonly partialScores: ReadonlyMap<string, ReadonlyMap<string, PartialScore>>;
  /** Trials whose scores are of some items only, by candidate. */
  readonly lostRaces: ReadonlyMap<string, LostRace>;
  /**
   * Messages of earlier generations are void: they belong to an earlier life of the job. Grows when the job is taken up again
   * after it ended, because its messages were purged and a bus drops ids that it has seen.
   */
  readonly firstGeneration: number;
  /** Generation of the evaluation of `candidate/task`, where one was lost. */
  readonly generations: ReadonlyMap<string, number>;
  /** By id; those that were never heard of have `estimateGeneration`. */
  readonly estimates: ReadonlyMap<string, EstimateState>;
  readonly estimateGeneration: number;
  /** Estimates made, again where they were lost, and what they took. */
  readonly estimation: { readonly made: number; readonly seconds: number };
  /** Problems by candidate. */
  readonly failures: ReadonlyMap<string, string>;
  /** Why no more trials are proposed, before the last of them. */
  readonly stopped: StopReport | undefined;
  readonly recommended: Extract<JobEvent, { type: "recommended" }> | undefined;
  /** Digests of the segments of every shard that lies, synced, in the staging directory. */
  readonly written: ReadonlyMap<number, readonly string[]>;
  readonly end:
    | { readonly kind: "published" }
    | { readonly kind: "failed"; readonly code: string; readonly problem: string }
    | { readonly kind: "cancelled" }
    | undefined;
}

const initial = (spec: JobSpec, firstGeneration: number): JobState => ({
  spec,
  planDigest: undefined,
  pins: {},
  facts: undefined,
  basis: undefined,
  trials: [],
  scores: new Map(),
  partialScores: new Map(),
  lostRaces: new Map(),
  firstGeneration,
  generations: new Map(),
  estimates: new Map(),
  estimateGeneration: firstGeneration,
  estimation: { made: 0, seconds: 0 },
  failures: new Map(),
  stopped: undefined,
  recommended: undefined,
  written: new Map(),
  end: undefined,
});

export const evaluationKey = (candidateId: string, task: string): string => `${candidateId}/${task}`;

/** The generation under which the evaluation of a candidate on a task is published. */
export const generationOf = (state: JobState, candidateId: string, task: string): number =>
  state.generations.get(evaluationKey(candidateId, task)) ?? state.firstGeneration;

const nextGeneration = (state: JobState): number =>
  Math.max(
    1 + state.firstGeneration,
    ...state.generations.values().map((last) => last + 1),
    nextEstimateGeneration(state),
  );

/**
 * What was learned stays; what only failed is tried again, unless later proposals rest on it: a trial that failed is what the
 * optimizer was told. When nothing but failures is known of trials the search begins anew.
 */
function resume(state: JobState, spec: JobSpec): JobState {
  const { trials, failures } = state;
  const isTrial = (id: string): boolean => trials.some(({ candidateId }) => candidateId === id);
  const resumed = {
    ...forgetEstimateProblems(state),
    spec,
    end: undefined,
    firstGeneration: nextGeneration(state),
    generations: new Map(),
  };
  if (trials.every(({ candidateId }) => failures.has(candidateId))) {
    return {
      ...resumed,
      basis: undefined,
      trials: [],
      scores: new Map([...state.scores].filter(([id]) => !isTrial(id))),
      partialScores: new Map(),
      lostRaces: new Map(),
      failures: new Map(),
    };
  }
  return { ...resumed, failures: new Map([...failures].filter(([id]) => isTrial(id))) };
}

/**
 * Applies one event. Facts that are already known (a second score for the same candidate and task, a second commit of
 * a shard) leave the state as it is: the first wins, so late and duplicate messages can do no harm.
 * @throws Error when the journal does not begin with `submitted`
 */
export function reduce(state: JobState | undefined, event: JobEvent): JobState {
  if (event.type === "submitted") return state ?? initial(event.spec, 0);
  if (state === undefined) throw new Error(`a job's journal begins with "submitted", not with "${event.type}"`);
  switch (event.type) {
    case "resumed":
      return resume(state, event.spec);
    case "restarted":
      return initial(event.spec, nextGeneration(state));
    case "planned":
      return { ...state, planDigest: event.planDigest, pins: event.pins ?? {}, facts: event.facts };
    case "searchBegun":
      return state.basis === undefined ? { ...state, basis: event.basis } : state;
    case "proposed": {
      if (state.trials.some((trial) => trial.candidateId === event.candidateId)) return state;
      const { type: _, ...trial } = event;
      return { ...state, trials: [...state.trials, trial] };
    }
    case "scored":
      return scored(state, event);
    case "raceLost": {
      const { type: _, candidateId, ...race } = event;
      const partial = state.partialScores.get(candidateId);
      if (partial === undefined || state.lostRaces.has(candidateId) || state.failures.has(candidateId)) return state;
      const reached = [...partial].map(([task, { score }]) => [task, score] as const);
      return {
        ...state,
        scores: new Map(state.scores).set(candidateId, new Map(reached)),
        lostRaces: new Map(state.lostRaces).set(candidateId, race),
      };
    }
    case "evaluationLost": {
      const { candidateId, task, generation } = event;
      if (generation !== generationOf(state, candidateId, task)) return state;
      return {
        ...state,
        generations: new Map(state.generations).set(evaluationKey(candidateId, task), generation + 1),
      };
    }
    case "estimated":
    case "estimateLost":
    case "estimatesLost":
    case "estimateFailed":
      return reduceEstimates(state, event);
    case "candidateFailed":
      if (state.failures.has(event.candidateId)) return state;
      return { ...state, failures: new Map(state.failures).set(event.candidateId, event.problem) };
    case "searchStopped":
      return state.stopped === undefined ? { ...state, stopped: event.report } : state;
    case "recommended":
      return state.recommended === undefined ? { ...state, recommended: event } : state;
    case "shardWritten":
      if (state.written.has(event.shard)) return state;
      return { ...state, written: new Map(state.written).set(event.shard, event.segmentSha256) };
    case "stagingLost":
      return { ...state, written: new Map() };
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

function scored(state: JobState, event: Extract<JobEvent, { type: "scored" }>): JobState {
  const { candidateId, task, part } = event;
  const scores = state.scores.get(candidateId);
  if (scores?.has(task) || state.failures.has(candidateId) || state.lostRaces.has(candidateId)) return state;
  const before = state.partialScores.get(candidateId);
  const reached = before?.get(task);
  if (part !== undefined && part.first !== (reached?.end ?? 0)) return state;
  const score = part === undefined || reached === undefined ? event.score : combineScores(reached.score, event.score);
  if (part === undefined || part.end === part.pieces) {
    return { ...state, scores: new Map(state.scores).set(candidateId, new Map(scores).set(task, score)) };
  }
  const partial = new Map(before).set(task, { end: part.end, score });
  return { ...state, partialScores: new Map(state.partialScores).set(candidateId, partial) };
}

/** Whether every task has a score, or the candidate failed. */
export function isSettled(state: JobState, candidateId: string, tasks: readonly string[]): boolean {
  if (state.failures.has(candidateId)) return true;
  const scores = state.scores.get(candidateId);
  return tasks.every((task) => scores?.has(task));
}

/** Mean score over the tasks with its standard error (tasks are independent samples); undefined until all are in. */
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
    sum += score.score;
    variance += score.standardError ** 2;
  }
  return { value: sum / tasks.length, standardError: Math.sqrt(variance) / tasks.length };
}

/** What the tasks measure, where all measure the same; empty where they differ, and until one has a score. */
export function metricOf({ scores }: JobState): string {
  const metrics = new Set<string>();
  for (const ofTasks of scores.values()) for (const { metric } of ofTasks.values()) metrics.add(metric);
  return metrics.size === 1 ? [...metrics][0]! : "";
}
