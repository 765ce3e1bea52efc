// From what a trial measured to the one score that is maximised.

import { StudyError } from "../errors.ts";
import type { Score } from "../model/targets.ts";
import type { Outcome } from "../study/events.ts";

/** What is maximised of the metrics: their mean, a weighted mean (weights >= 0, one for each metric), or the smallest. */
export type Objective =
  | { readonly kind: "mean" }
  | { readonly kind: "weighted"; readonly weights: readonly number[] }
  | { readonly kind: "worst" };

/** The score of an outcome. Throws StudyError for one that does not fit the metrics, or whose numbers are not finite. */
export type Scalarise = (outcome: Outcome) => Score;

/** Throws StudyError on metrics or an objective that make no sense. */
export function createScalarise(metrics: readonly string[], objective: Objective): Scalarise {
  if (metrics.length === 0) throw new StudyError("a study needs at least one metric");
  if (new Set(metrics).size < metrics.length) throw new StudyError(`metrics must differ: ${metrics.join(", ")}`);
  const combine = objective.kind === "worst" ? worst : weightedMean(normalisedWeights(metrics, objective));
  return (outcome) => {
    check(metrics, outcome);
    return combine(outcome);
  };
}

function normalisedWeights(
  metrics: readonly string[],
  objective: Exclude<Objective, { kind: "worst" }>,
): readonly number[] {
  const weights = objective.kind === "mean" ? metrics.map(() => 1) : objective.weights;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const isValid = weights.every((weight) => weight >= 0) && total > 0 && Number.isFinite(total);
  if (weights.length !== metrics.length || !isValid) {
    throw new StudyError(
      `the objective needs a weight >= 0 for each of ${metrics.join(", ")}, not all 0; it has [${weights.join(", ")}]`,
    );
  }
  return weights.map((weight) => weight / total);
}

/** Metrics are independent samples: their variances add up. */
const weightedMean =
  (weights: readonly number[]): Scalarise =>
  ({ values, standardErrors }) => ({
    value: weights.reduce((sum, weight, k) => sum + weight * values[k]!, 0),
    standardError: standardErrors && Math.sqrt(weights.reduce((sum, w, k) => sum + (w * standardErrors[k]!) ** 2, 0)),
  });

const worst: Scalarise = ({ values, standardErrors }) => {
  const value = Math.min(...values);
  return { value, standardError: standardErrors?.[values.indexOf(value)] };
};

function check(metrics: readonly string[], { values, standardErrors }: Outcome): void {
  for (const [what, numbers] of [
    ["values", values],
    ["standard errors", standardErrors ?? values],
  ] as const) {
    if (numbers.length !== metrics.length) {
      throw new StudyError(
        `an outcome has ${numbers.length} ${what}, but the study has ${metrics.length} metrics: ${metrics.join(", ")}`,
      );
    }
    const wrong = numbers.find((one) => !Number.isFinite(one));
    if (wrong !== undefined) throw new StudyError(`an outcome has ${wrong} among its ${what}`);
  }
}
