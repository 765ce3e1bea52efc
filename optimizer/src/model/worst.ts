// The worst metric by the models of all: the smallest of their beliefs, in the units of the score. Each metric is
// smooth where the smallest has kinks, and a measured smallest is too low on average; one model of measured smallest
// values would have to live with both.

import type { Goal } from "../objective/goal.ts";
import { smallestOfNormals } from "../objective/smallest.ts";
import type { Ensemble, Prediction } from "./ensemble.ts";
import type { MetricModels } from "./metric-models.ts";

/** A metric in units of the score: offset + scale * target, scale > 0. */
export interface Units {
  readonly offset: number;
  readonly scale: number;
}

/** [metrics] what the targets of each metric's model are as scores. */
export function scoreUnits({ metrics, normalise }: Goal, models: MetricModels): Units[] {
  const zeros = normalise({ values: metrics.map(() => 0) }).values;
  const ones = normalise({ values: metrics.map(() => 1) }).values;
  return metrics.map((_, metric) => {
    const inMetric = unwarped(models.of(metric));
    const scoreOf = (target: number): number => zeros[metric]! + (ones[metric]! - zeros[metric]!) * inMetric(target);
    return { offset: scoreOf(0), scale: scoreOf(1) - scoreOf(0) };
  });
}

/** A linear function: the members of metrics are not warped. */
function unwarped({ members, scores }: Ensemble): (target: number) => number {
  return (target) => scores.offset + scores.scale * members[0]!.targets.unwarp(target);
}

/** What the model of a score that is the worst metric believes of it. */
export function believeWorst(
  { metrics, normalise }: Goal,
  models: MetricModels,
): Pick<Ensemble, "predict" | "composition"> {
  const parts = metrics.map((_, metric) => models.of(metric));
  return {
    composition: { parts, combine: (values) => Math.min(...normalise({ values }).values) },
    predict(unit): Prediction {
      const beliefs = parts.map((part) => part.predict(unit));
      const { values, standardErrors } = normalise({
        values: beliefs.map(({ mean }) => mean),
        standardErrors: beliefs.map(({ standardDeviation }) => standardDeviation),
      });
      return smallestOfNormals(values, standardErrors!);
    },
  };
}
