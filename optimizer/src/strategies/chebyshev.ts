// One random trade-off of many metrics as a score: the augmented Chebyshev scalarisation of J. Knowles, "ParEGO",
// IEEE Transactions on Evolutionary Computation 10(1), 2006. Another one for every proposal walks along the front,
// where there are too many objectives to sum over boxes.

import { type Ensemble, fitEnsemble } from "../model/ensemble.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Score } from "../model/targets.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { extremesOf, nonDominated } from "../objective/front.ts";
import { type Goal, mostObjectives } from "../objective/goal.ts";
import type { Outcome } from "../study/events.ts";

/** What the sum of all metrics counts beside the worst of them, so that no metric is given away for nothing. */
const augmentation = 0.05;

/** The model of the trade-off that the next proposal is to improve; undefined where it is a front of few objectives. */
export function scoreToImprove(
  { tradeOff }: Goal,
  { trials, completed }: MetricModels,
  seed: number,
  trial: number,
): Ensemble | undefined {
  if (tradeOff === undefined || tradeOff.metrics.length <= mostObjectives) return undefined;
  const outcomes = trials.map(({ outcome }) => outcome);
  const units = trials.map(({ unit }) => unit);
  return fitEnsemble(units, chebyshevScores(outcomes, tradeOff.metrics, seed, trial), {
    last: undefined,
    trials: completed,
    previous: undefined,
  });
}

/** Scores of the outcomes for weights that (seed, trial) draw from the simplex; `metrics` are positions. */
export function chebyshevScores(
  outcomes: readonly Outcome[],
  metrics: readonly number[],
  seed: number,
  trial: number,
): Score[] {
  const points = outcomes.map(({ values }) => metrics.map((metric) => values[metric]!));
  const { ideal, nadir } = extremesOf(nonDominated(points).map((index) => points[index]!));
  const ranges = ideal.map((high, j) => high - nadir[j]! || 1);
  const stream = createStream(seed, trial, purposes.weights);
  const exponentials = metrics.map(() => -Math.log(stream.uniform()));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  const weights = exponentials.map((value) => value / total);
  return outcomes.map(({ standardErrors }, i) => {
    const losses = points[i]!.map((value, j) => (weights[j]! * (value - ideal[j]!)) / ranges[j]!);
    const worst = losses.indexOf(Math.min(...losses));
    const error =
      standardErrors &&
      metrics.map((metric, j) => {
        const share = weights[j]! * (augmentation + (j === worst ? 1 : 0));
        return (share * standardErrors[metric]!) / ranges[j]!;
      });
    return {
      value: losses[worst]! + augmentation * losses.reduce((sum, loss) => sum + loss, 0),
      standardError: error && Math.sqrt(error.reduce((sum, one) => sum + one * one, 0)),
    };
  });
}
