// What a search makes of the accuracies of a trial: what it maximises, and whether they keep its constraints. Pure.
import { createScalarise } from "@amalgam/optimizer";
import type { SearchBasis } from "./events.ts";
import { type JobState, objective } from "./state.ts";

export interface TrialScore {
  readonly value: number;
  readonly standardError: number;
  /** Tasks whose measured accuracy is below their bound. */
  readonly unmet: readonly string[];
}

/** Undefined until every task is scored. Of a trade-off, the value is the mean. */
export function trialScore(state: JobState, candidateId: string, tasks: readonly string[]): TrialScore | undefined {
  const mean = objective(state, candidateId, tasks);
  if (mean === undefined || state.basis === undefined) return mean && { ...mean, unmet: [] };
  const { objective: goal = { kind: "mean" }, constraints = [] } = state.basis.spec;
  const scores = state.scores.get(candidateId)!;
  const measured = tasks.map((task) => scores.get(task)!);
  const { value, standardError = 0 } = createScalarise(
    tasks,
    goal,
  )({
    values: measured.map(({ accuracy }) => accuracy),
    standardErrors: measured.map((score) => score.standardError),
  });
  const unmet = constraints.filter(({ metric, atLeast }) => scores.get(metric)!.accuracy < atLeast);
  return { value, standardError, unmet: unmet.map(({ metric }) => metric) };
}

/** What is maximised, in words. */
export function objectiveTitle({ spec }: SearchBasis): string {
  const { metrics = [], objective: goal = { kind: "mean" } } = spec;
  const what = goal.normalise === undefined ? "accuracy" : "accuracy relative to the experts";
  if (metrics.length === 1) return what;
  if (goal.kind === "worst") return `${what} on the worst task`;
  return goal.kind === "weighted" ? `weighted mean ${what}` : `mean ${what}`;
}
