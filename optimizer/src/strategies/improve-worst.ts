// Where the worst of several metrics is expected to improve on the best worst so far, times the probability that the
// bounds hold: a composition of the metrics' models (in the sense of Astudillo and Frazier, "Bayesian optimization of
// composite functions", ICML 2019), in closed form given the sample but for taking the smallest as normal.

import { type ConditionalBelief, sampleBeliefs } from "../acquisition/conditional.ts";
import { boundFactor, createExpectedProduct } from "../acquisition/expected-product.ts";
import { sampledSmallest, smallestFactor } from "../acquisition/smallest-improvement.ts";
import { targetOf } from "../model/metric-models.ts";
import { believeWorst, scoreUnits } from "../model/worst.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import {
  distinctUnits,
  largestField,
  largestFront,
  type MetricsInput,
  membersOf,
  pruningSamples,
  type Search,
} from "./metrics-input.ts";

const samples = 32;

/** `feasible` are evaluated points that are likely to keep the bounds, at least one. */
export function improveWorst(
  { goal, models, seed, trial }: MetricsInput,
  feasible: readonly Float64Array[],
  pending: readonly Float64Array[],
): Search {
  const ensembles = goal.metrics.map((_, metric) => models.of(metric));
  const units = scoreUnits(goal, models);
  const bounds = goal.bounds.map(({ metric, atLeast }) => ({ metric, target: targetOf(ensembles[metric]!, atLeast) }));
  const sampleAt = (base: readonly Float64Array[], count: number, purpose: "pruning" | "fantasies") => {
    const beliefs = sampleBeliefs(membersOf(ensembles), base, count, createStream(seed, trial, purposes[purpose]));
    return { beliefs, bests: bestKept(sampledSmallest(beliefs, units), beliefs, bounds, base.length) };
  };

  const { predict } = believeWorst(goal, models);
  const field = distinctUnits(feasible)
    .map((unit) => ({ unit, mean: predict(unit).mean }))
    .toSorted((a, b) => b.mean - a.mean)
    .slice(0, largestField)
    .map(({ unit }) => unit);
  const wins = new Float64Array(field.length);
  for (const { base } of sampleAt(field, pruningSamples, "pruning").bests) if (base !== undefined) wins[base]!++;
  const likeliest = [...wins.keys()].filter((index) => wins[index]! > 0).toSorted((a, b) => wins[b]! - wins[a]!);
  const incumbents = (likeliest.length > 0 ? likeliest : [0]).slice(0, largestFront).map((index) => field[index]!);

  const { beliefs, bests } = sampleAt([...incumbents, ...pending], samples, "fantasies");
  // Where nothing keeps the bounds in a sample, whatever does improves on the worst score.
  const lowest = models.trials.reduce((least, { score }) => Math.min(least, score.value), Number.POSITIVE_INFINITY);
  const thresholds = Float64Array.from(bests, ({ value }) => value ?? lowest);
  const factors = bounds.map(({ metric, target }) => boundFactor(beliefs[metric]!, target));
  return { acquisition: createExpectedProduct([smallestFactor(beliefs, units, thresholds), ...factors]), incumbents };
}

interface Best {
  readonly base: number | undefined;
  readonly value: number | undefined;
}

/** [samples] the base point that is best of those that keep the bounds, and how good it is; undefined if none does. */
function bestKept(
  smallest: Float64Array,
  beliefs: readonly ConditionalBelief[],
  bounds: readonly { readonly metric: number; readonly target: number }[],
  baseCount: number,
): Best[] {
  return Array.from({ length: beliefs[0]!.samples }, (_, m) => {
    let best: Best = { base: undefined, value: undefined };
    for (let base = 0; base < baseCount; base++) {
      const at = m * baseCount + base;
      const isKept = bounds.every(({ metric, target }) => beliefs[metric]!.values[at]! >= target);
      if (isKept && !(smallest[at]! <= (best.value ?? Number.NEGATIVE_INFINITY))) best = { base, value: smallest[at]! };
    }
    return best;
  });
}
