// From what a trial measured to the one score that is maximised, and how sure of it the measurement is.

import { StudyError } from "../errors.ts";
import type { Score } from "../model/targets.ts";
import type { Outcome } from "../study/events.ts";
import { smallestOfNormals } from "./smallest.ts";

/**
 * Measures every metric against the expert of its task: score / expert, the "normalised accuracy" that papers on
 * merging report (Ilharco et al. 2023, arXiv 2212.04089); with baselines (score - baseline) / (expert - baseline), the
 * share of the expert's gain that is kept.
 */
export interface Normalisation {
  /** For each metric what the expert of that task scores alone. */
  readonly experts: readonly number[];
  /** For each metric what the model scores that the experts were tuned from. */
  readonly baselines?: readonly number[];
}

/**
 * What is maximised of the metrics: their mean; a weighted mean (weights >= 0, one for each metric); the smallest; or
 * no single number but the whole front of trade-offs, `Study.pareto`.
 */
export type Objective = (
  | { readonly kind: "mean" }
  | { readonly kind: "weighted"; readonly weights: readonly number[] }
  | { readonly kind: "worst" }
  | ParetoObjective
) & { readonly normalise?: Normalisation };

export interface ParetoObjective {
  readonly kind: "pareto";
  /** The metrics that are traded off, at least two. Default: all. */
  readonly metrics?: readonly string[];
  /**
   * For each of them the value below which nothing is worth having, in the metric's own units. Default: the worst value
   * on the front known so far, less a tenth of the front's range.
   */
  readonly reference?: readonly number[];
}

/** The score of an outcome. Throws StudyError for one that does not fit the metrics, or whose numbers are not finite. */
export type Scalarise = (outcome: Outcome) => Score;

/** Throws StudyError on metrics or an objective that make no sense. The score of a Pareto study is the mean of what it trades off. */
export function createScalarise(metrics: readonly string[], objective: Objective): Scalarise {
  if (metrics.length === 0) throw new StudyError("a study needs at least one metric");
  if (new Set(metrics).size < metrics.length) throw new StudyError(`metrics must differ: ${metrics.join(", ")}`);
  const normalise = createNormalise(metrics, objective.normalise);
  const combine = objective.kind === "worst" ? smallest : weightedMean(weightsOf(metrics, objective));
  return (outcome) => {
    check(metrics, outcome);
    return combine(normalise(outcome));
  };
}

/** Outcomes in units of the experts; as they are without a normalisation. Throws StudyError on one that makes no sense. */
export function createNormalise(
  metrics: readonly string[],
  normalisation: Normalisation | undefined,
): (outcome: Outcome) => Outcome {
  if (normalisation === undefined) return (outcome) => outcome;
  const { experts, baselines = metrics.map(() => 0) } = normalisation;
  const ranges = metrics.map((_, k) => experts[k]! - baselines[k]!);
  const isComplete = experts.length === metrics.length && baselines.length === metrics.length;
  if (!isComplete || !ranges.every((range) => range > 0 && Number.isFinite(range))) {
    throw new StudyError(
      `to normalise, the objective needs for each of ${metrics.join(", ")} the score of its expert, above ` +
        `${normalisation.baselines === undefined ? "0" : "its baseline"}; ` +
        `experts are [${experts.join(", ")}]${normalisation.baselines === undefined ? "" : `, baselines [${baselines.join(", ")}]`}`,
    );
  }
  return ({ values, standardErrors, ...rest }) => ({
    ...rest,
    values: values.map((value, k) => (value - baselines[k]!) / ranges[k]!),
    ...(standardErrors && { standardErrors: standardErrors.map((error, k) => error / ranges[k]!) }),
  });
}

/** The weight of each metric in the mean; they add up to 1. */
function weightsOf(
  metrics: readonly string[],
  objective: Exclude<Objective, { readonly kind: "worst" }>,
): readonly number[] {
  const weights =
    objective.kind === "weighted"
      ? objective.weights
      : metrics.map((name) => (objective.kind === "mean" || (objective.metrics ?? metrics).includes(name) ? 1 : 0));
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

/** The smallest value that was measured; its error is that of the smallest of independent measurements. */
const smallest: Scalarise = ({ values, standardErrors }) => ({
  value: Math.min(...values),
  standardError: standardErrors && smallestOfNormals(values, standardErrors).standardDeviation,
});

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
