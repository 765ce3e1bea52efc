// What a search makes of the scores of a trial: what it maximises, and whether they keep its constraints. Pure.
import { createScalarise } from "@amalgam/optimizer";
import { scaleOf } from "@amalgam/runtime";
import type { SearchBasis } from "./events.ts";
import { type JobState, objective } from "./state.ts";

export interface TrialScore {
  readonly value: number;
  readonly standardError: number;
  /** Tasks whose measured score is below their bound. */
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
    values: measured.map(({ score }) => score),
    standardErrors: measured.map((score) => score.standardError),
  });
  const unmet = constraints.filter(({ metric, atLeast }) => scores.get(metric)!.score < atLeast);
  return { value, standardError, unmet: unmet.map(({ metric }) => metric) };
}

/** What is maximised, in words. `metric` is what the tasks measure; empty where they differ. */
export function objectiveTitle({ spec }: SearchBasis, metric: string): string {
  const { metrics = [], objective: goal = { kind: "mean" } } = spec;
  const { name } = scaleOf(metric);
  const what = goal.normalise === undefined ? name : `${name} relative to the experts`;
  if (metrics.length === 1) return what;
  if (goal.kind === "worst") return `${what} on the worst task`;
  return goal.kind === "weighted" ? `weighted mean ${what}` : `mean ${what}`;
}
