// A goal in the targets of its models: what is to be improved, and what has to be kept meanwhile.

import type { ConditionalBelief } from "../acquisition/conditional.ts";
import { boundFactor, type Factor } from "../acquisition/expected-product.ts";
import type { Ensemble } from "../model/ensemble.ts";
import { type MetricModels, targetOf } from "../model/metric-models.ts";
import type { Goal } from "../objective/goal.ts";

export interface Aim {
  /** Of the objectives, then of the metrics that are bounded but are no objectives. */
  readonly ensembles: readonly Ensemble[];
  /** How many of them are objectives: several for a front, one for a score. */
  readonly objectives: number;
  /** Do the base point's values in this sample keep all bounds? `beliefs` has one entry for each ensemble. */
  keeps(beliefs: readonly ConditionalBelief[], sample: number, base: number): boolean;
  /** What improvements of the objectives are multiplied by. */
  factors(beliefs: readonly ConditionalBelief[]): Factor[];
  /** [objectives] below this no value of an objective is allowed; -Infinity without a bound. */
  readonly floors: readonly number[];
}

/** `score` is the model of what is maximised; without it the front of the goal's trade-off is wanted. */
export function createAim({ bounds, tradeOff }: Goal, models: MetricModels, score: Ensemble | undefined): Aim {
  const traded = score === undefined ? tradeOff!.metrics : [];
  const outer = bounds.filter(({ metric }) => !traded.includes(metric));
  const objectives = score === undefined ? traded.map((metric) => models.of(metric)) : [score];
  const ensembles = [...objectives, ...outer.map(({ metric }) => models.of(metric))];
  const floorOf = (metric: number | undefined, ensemble: Ensemble): number => {
    const bound = bounds.find((one) => one.metric === metric);
    return bound === undefined ? Number.NEGATIVE_INFINITY : targetOf(ensemble, bound.atLeast);
  };
  const floors = ensembles.map((ensemble, j) =>
    floorOf(j < objectives.length ? traded[j] : outer[j - objectives.length]!.metric, ensemble),
  );
  return {
    ensembles,
    objectives: objectives.length,
    keeps: (beliefs, sample, base) =>
      beliefs.every(({ values, samples }, j) => values[(sample * values.length) / samples + base]! >= floors[j]!),
    factors: (beliefs) =>
      outer.map((_, k) => boundFactor(beliefs[objectives.length + k]!, floors[objectives.length + k]!)),
    floors: floors.slice(0, objectives.length),
  };
}
