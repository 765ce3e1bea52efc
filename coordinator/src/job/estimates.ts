// Estimates of importance, which candidates are merged with: what is known of each, and what a candidate still lacks. Pure. Their
// values are held by evaluators and named by their digest; who holds them is not known here.
import type { ScoreReport } from "@amalgam/proto";
import type { JobEvent } from "./events.ts";
import type { JobState } from "./state.ts";

export interface EstimateState {
  /** Under which it is asked for, or was made. */
  readonly generation: number;
  /** Digest of its values, once they have been made. */
  readonly sha256?: string;
  /** Whether somebody is thought to hold the values. */
  readonly isHeld: boolean;
  /** How often it was lost since it was made. */
  readonly losses: number;
  /** Why it cannot be made. */
  readonly problem?: string;
}

/** Estimates by what a candidate is merged with, in a fixed order; empty for most. */
export type EstimatesOf = (candidateId: string) => readonly string[];

export interface Lacking {
  readonly estimateIds: readonly string[];
  /** Why one of them cannot be had. */
  readonly problem?: string;
}

/** Estimates of one model that may be lost, before they were made, until it is given up. */
const MAX_LOSSES = 5;

/** Named by the number of the model, and what scales it. */
export const estimateId = (model: number, scaleDigest: string): string => `i${model}.${scaleDigest}`;

export const isEstimate = (candidateId: string): boolean => /^i\d+\./.test(candidateId);

export const estimateOf = ({ estimates, estimateGeneration }: JobState, id: string): EstimateState =>
  estimates.get(id) ?? { generation: estimateGeneration, isHeld: false, losses: 0 };

/** Undefined when nothing is lacking. */
export function lacking(state: JobState, needed: readonly string[]): Lacking | undefined {
  for (const id of needed) {
    const { problem } = estimateOf(state, id);
    if (problem !== undefined) return { estimateIds: [], problem };
  }
  const estimateIds = needed.filter((id) => !estimateOf(state, id).isHeld);
  return estimateIds.length === 0 ? undefined : { estimateIds };
}

/** What comes of a report that brings no values; at most one event. */
export function eventsOfEstimateReport(state: JobState, report: ScoreReport, model: string): JobEvent[] {
  const { candidateId, task, outcome, generation } = report;
  const known = estimateOf(state, candidateId);
  if (state.end !== undefined || generation !== known.generation || known.isHeld) return [];
  if (known.problem !== undefined) return [];
  const failed = (problem: string): JobEvent[] => [
    { type: "estimateFailed", estimateId: candidateId, problem: estimateProblem(model, `task ${task}: ${problem}`) },
  ];
  if (outcome.case === "failure") return failed(outcome.value.message);
  if (outcome.case !== "shardsLost") return [];
  if (known.losses < MAX_LOSSES) return [{ type: "estimateLost", estimateId: candidateId, generation }];
  return failed(
    `evaluators could not fetch the scaled model ${known.losses + 1} times; can they reach the addresses of the workers?`,
  );
}

export const estimateProblem = (model: string, reason: string): string =>
  `the importance of ${model} cannot be estimated: ${reason}`;

/** The fold of what is journalled of estimates. */
export function reduceEstimates(
  state: JobState,
  event: Extract<JobEvent, { type: "estimated" | "estimateLost" | "estimateFailed" | "estimatesLost" }>,
): JobState {
  if (event.type === "estimatesLost") return loseEstimates(state);
  const { estimateId: id } = event;
  const known = estimateOf(state, id);
  const changed = (estimate: EstimateState): JobState => ({
    ...state,
    estimates: new Map(state.estimates).set(id, estimate),
  });
  switch (event.type) {
    case "estimated": {
      const { sha256, seconds } = event;
      const { made, seconds: before } = state.estimation;
      const estimation = { made: made + 1, seconds: before + seconds };
      return { ...changed({ generation: known.generation, sha256, isHeld: true, losses: 0 }), estimation };
    }
    case "estimateLost":
      if (event.generation !== known.generation) return state;
      return changed({ ...known, generation: known.generation + 1, isHeld: false, losses: known.losses + 1 });
    case "estimateFailed":
      return known.problem === undefined ? changed({ ...known, problem: event.problem }) : state;
    default:
      throw new Error(`unknown journal event ${JSON.stringify(event satisfies never)}`);
  }
}

/** Nobody knows who holds what: all that is still needed is asked for again, under a generation that no message has had. */
export function loseEstimates(state: JobState): JobState {
  const generation = nextEstimateGeneration(state);
  const estimates = [...state.estimates].map(
    ([id, known]) => [id, { ...known, generation, isHeld: false, losses: 0 }] as const,
  );
  return { ...state, estimateGeneration: generation, estimates: new Map(estimates) };
}

/** The same, and what could not be made may be tried again. */
export function forgetEstimateProblems(state: JobState): JobState {
  const lost = loseEstimates(state);
  const estimates = [...lost.estimates].map(([id, { problem: _, ...known }]) => [id, known] as const);
  return { ...lost, estimates: new Map(estimates) };
}

export const nextEstimateGeneration = ({ estimateGeneration, estimates }: JobState): number =>
  1 + [...estimates.values()].reduce((most, { generation }) => Math.max(most, generation), estimateGeneration);
