// What a job should do next, as a pure function of its durable state: the same answer before and after a crash.
import { isSettled, type JobState } from "./state.ts";

/** What the recipe and the plan fix about a job. */
export interface JobFacts {
  readonly kind: "merge" | "search";
  readonly trials: number;
  /** Trials in flight. Part of the recipe, not of the cluster: it decides what the optimizer knows when it proposes. */
  readonly parallel: number;
  /** Of a search by steps: the first trials, which need no score; each later one needs those of all before it. */
  readonly firstTrials?: number;
  readonly tasks: readonly string[];
  /** Candidates of the final table besides the recommended one. */
  readonly comparisons: readonly string[];
  readonly shards: number;
}

export type Step =
  /** Ask the optimizer for the next trial, after telling it every trial up to `tellBefore` (exclusive). */
  | { readonly kind: "propose"; readonly trial: number; readonly tellBefore: number }
  /** Merge the candidate and have it scored on the tasks that have no score yet. */
  | { readonly kind: "evaluate"; readonly candidateId: string; readonly tasks: readonly string[] }
  | { readonly kind: "recommend" }
  | { readonly kind: "write"; readonly shards: readonly number[] }
  | { readonly kind: "publish" }
  | { readonly kind: "fail"; readonly problem: string };

/** The candidate that is published at the end. */
export const FINAL_ID = "final";

export const trialId = (trial: number): string => `t${trial}`;

/**
 * The steps that can be taken now, none of which depends on another; empty when the job has ended.
 *
 * Trial k is proposed when trials 0..k-parallel are settled, and the optimizer is told exactly those: what it proposes
 * is a function of the scores alone, whatever order they arrive in and however often the coordinator restarts.
 */
export function decide(state: JobState, facts: JobFacts): readonly Step[] {
  if (state.end !== undefined) return [];
  if (facts.kind === "search") {
    const steps = searchSteps(state, facts);
    if (steps.length > 0) return steps;
  }
  const shards: number[] = [];
  for (let shard = 0; shard < facts.shards; shard++) if (!state.written.has(shard)) shards.push(shard);
  return shards.length > 0 ? [{ kind: "write", shards }] : [{ kind: "publish" }];
}

/** How many trials must be settled before trial `next` is proposed, which is then a function of their scores. */
export function neededBefore(
  next: number,
  { parallel, firstTrials = Number.POSITIVE_INFINITY }: Pick<JobFacts, "parallel" | "firstTrials">,
): number {
  return next < firstTrials ? Math.max(0, next - parallel + 1) : next;
}

function searchSteps(state: JobState, facts: JobFacts): readonly Step[] {
  const settled = (candidateId: string): boolean => isSettled(state, candidateId, facts.tasks);
  const evaluate = (candidateId: string): Step => {
    const scores = state.scores.get(candidateId);
    return { kind: "evaluate", candidateId, tasks: facts.tasks.filter((task) => !scores?.has(task)) };
  };
  const steps = state.trials.filter((trial) => !settled(trial.candidateId)).map((trial) => evaluate(trial.candidateId));
  const next = state.trials.length;
  const tellBefore = neededBefore(next, facts);
  const told = state.trials.slice(0, tellBefore);
  if (next < facts.trials && told.every((trial) => settled(trial.candidateId))) {
    steps.push({ kind: "propose", trial: next, tellBefore });
  }
  if (steps.length > 0) return steps;
  if (state.recommended === undefined) {
    const failed = state.trials.every((trial) => state.failures.has(trial.candidateId));
    if (!failed) return [{ kind: "recommend" }];
    const reason = state.failures.get(trialId(0)) ?? "no trial was run";
    return [{ kind: "fail", problem: `every trial failed; the first because: ${reason}` }];
  }
  const problem = state.failures.get(FINAL_ID);
  if (problem !== undefined) return [{ kind: "fail", problem: `the recommended model cannot be scored: ${problem}` }];
  return [FINAL_ID, ...facts.comparisons]
    .filter((candidateId) => !settled(candidateId))
    .slice(0, facts.parallel)
    .map(evaluate);
}
