// Expected improvement of the smallest of several metrics, given a joint sample: the metrics at x are independent
// normals, the smallest of them is nearly one. Each task is smooth where the smallest has kinks, which one model of it
// would have to learn.

import type { Units } from "../model/worst.ts";
import { createSmallest } from "../objective/smallest.ts";
import type { ConditionalBelief } from "./conditional.ts";
import type { Factor } from "./expected-product.ts";
import { logImprovement } from "./log-improvement.ts";

/** [samples, base points] the smallest metric of the sampled values. */
export function sampledSmallest(beliefs: readonly ConditionalBelief[], units: readonly Units[]): Float64Array {
  return beliefs[0]!.values.map((_, at) =>
    beliefs.reduce(
      (least, { values }, j) => Math.min(least, units[j]!.offset + units[j]!.scale * values[at]!),
      Infinity,
    ),
  );
}

/** Improvement over the threshold of each sample, [samples] in the common units. */
export function smallestFactor(
  beliefs: readonly ConditionalBelief[],
  units: readonly Units[],
  thresholds: Float64Array,
): Factor {
  const count = beliefs.length;
  const smallest = createSmallest(count);
  const [means, deviations] = [new Float64Array(count), new Float64Array(count)];
  const [byMeans, byDeviations] = [new Float64Array(count), new Float64Array(count)];
  const ratios = new Float64Array(2);
  return {
    beliefs,
    logGiven(m, at, moments, derivatives) {
      for (let j = 0; j < count; j++) {
        means[j] = units[j]!.offset + units[j]!.scale * moments[j]!.means[at]!;
        deviations[j] = units[j]!.scale * moments[j]!.deviations[at]!;
      }
      smallest.fold(means, deviations);
      const { mean, standardDeviation } = smallest;
      const logValue =
        logImprovement((mean - thresholds[m]!) / standardDeviation, ratios) + Math.log(standardDeviation);
      if (derivatives !== undefined) {
        byMeans.fill(0);
        byDeviations.fill(0);
        smallest.addDerivatives(ratios[0]! / standardDeviation, ratios[1]! / standardDeviation, byMeans, byDeviations);
        for (let j = 0; j < count; j++) {
          derivatives.byMean[j]![at] = units[j]!.scale * byMeans[j]!;
          derivatives.byDeviation[j]![at] = units[j]!.scale * byDeviations[j]!;
        }
      }
      return logValue;
    },
  };
}
