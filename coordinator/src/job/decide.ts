// What a job should do next, as a pure function of its durable state: the same answer before and after a crash.
import { type EstimatesOf, lacking } from "./estimates.ts";
import type { LostRace, Part } from "./events.ts";
import { type JobFacts, neededBefore } from "./facts.ts";
import { raceStep } from "./race.ts";
import { isSettled, type JobState } from "./state.ts";

export type Step =
  /** Fix what the search is a function of. */
  | { readonly kind: "begin" }
  /** Ask the optimizer for the next trial, after telling it every trial up to `tellBefore` (exclusive). */
  | { readonly kind: "propose"; readonly trial: number; readonly tellBefore: number }
  /** Merge the candidate and have it scored on these tasks; on all of their items where no part is named. */
  | {
      readonly kind: "evaluate";
      readonly candidateId: string;
      readonly tasks: readonly string[];
      readonly part?: Part;
    }
  /** Have the importance estimated that these candidates are merged with. */
  | { readonly kind: "estimate"; readonly estimateId: string; readonly candidateIds: readonly string[] }
  /** What the candidate would be merged with cannot be had. */
  | { readonly kind: "giveUp"; readonly candidateId: string; readonly problem: string }
  /** The trial is beaten: what it was scored on is enough. */
  | ({ readonly kind: "endRace"; readonly candidateId: string } & LostRace)
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
 * @param estimatesOf the estimates that a candidate is merged with; a function of its coefficients
 */
export function decide(state: JobState, facts: JobFacts, estimatesOf: EstimatesOf = () => []): readonly Step[] {
  if (state.end !== undefined) return [];
  if (facts.kind === "search") {
    const steps = searchSteps(state, facts);
    if (steps.length > 0) return withEstimates(steps, state, estimatesOf);
  }
  const shards: number[] = [];
  for (let shard = 0; shard < facts.shards; shard++) if (!state.written.has(shard)) shards.push(shard);
  if (shards.length === 0) return [{ kind: "publish" }];
  const lack = lacking(state, estimatesOf(FINAL_ID));
  if (lack === undefined) return [{ kind: "write", shards }];
  if (lack.problem !== undefined) return [{ kind: "fail", problem: lack.problem }];
  return lack.estimateIds.map((estimateId) => ({ kind: "estimate", estimateId, candidateIds: [FINAL_ID] }));
}

/** The same steps, but that estimates come before what is merged with them. */
function withEstimates(steps: readonly Step[], state: JobState, estimatesOf: EstimatesOf): Step[] {
  const waiting = new Map<string, string[]>();
  const ready: Step[] = [];
  for (const step of steps) {
    const lack = step.kind === "evaluate" ? lacking(state, estimatesOf(step.candidateId)) : undefined;
    if (lack === undefined || step.kind !== "evaluate") {
      ready.push(step);
      continue;
    }
    const { candidateId } = step;
    if (lack.problem !== undefined) ready.push({ kind: "giveUp", candidateId, problem: lack.problem });
    for (const id of lack.estimateIds) waiting.set(id, [...(waiting.get(id) ?? []), candidateId]);
  }
  const estimates = [...waiting].map(([estimateId, candidateIds]): Step => {
    return { kind: "estimate", estimateId, candidateIds };
  });
  return [...estimates, ...ready];
}

function searchSteps(state: JobState, facts: JobFacts): readonly Step[] {
  const settled = (candidateId: string): boolean => isSettled(state, candidateId, facts.tasks);
  const evaluate = (candidateId: string): Step => {
    const scores = state.scores.get(candidateId);
    return { kind: "evaluate", candidateId, tasks: facts.tasks.filter((task) => !scores?.has(task)) };
  };
  if (state.basis === undefined) return beginning(state, facts, settled, evaluate);
  const evaluateTrial = (candidateId: string, trial: number): Step => {
    if (facts.looks === undefined) return evaluate(candidateId);
    const step = raceStep(state, trial, facts, facts.looks);
    return step.kind === "score"
      ? { ...step, kind: "evaluate", candidateId }
      : { ...step, kind: "endRace", candidateId };
  };
  const steps = state.trials.flatMap(({ candidateId }, trial) =>
    settled(candidateId) ? [] : [evaluateTrial(candidateId, trial)],
  );
  const next = state.trials.length;
  const tellBefore = neededBefore(next, facts);
  const told = state.trials.slice(0, tellBefore);
  if (next < facts.trials && state.stopped === undefined && told.every((trial) => settled(trial.candidateId))) {
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

/** Experts first, where the search is measured against them: what it is after follows from their scores. */
function beginning(
  state: JobState,
  { experts = [], parallel }: JobFacts,
  settled: (candidateId: string) => boolean,
  evaluate: (candidateId: string) => Step,
): readonly Step[] {
  const failed = experts.find(({ id }) => state.failures.has(id));
  if (failed !== undefined) {
    const reason = state.failures.get(failed.id)!;
    return [
      { kind: "fail", problem: `the search is measured against ${failed.name}, which cannot be scored: ${reason}` },
    ];
  }
  const open = experts.filter(({ id }) => !settled(id));
  return open.length === 0 ? [{ kind: "begin" }] : open.slice(0, parallel).map(({ id }) => evaluate(id));
}
