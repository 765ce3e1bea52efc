// Expected hypervolume improvement given a joint sample at the base points: the volume that a trial at x adds to what
// that sample's front dominates (Daulton, Balandat, Bakshy, "Parallel Bayesian optimization of multiple noisy
// objectives with expected hypervolume improvement", NeurIPS 2021).

import { decompose } from "../objective/boxes.ts";
import type { ConditionalBelief } from "./conditional.ts";
import type { Factor } from "./expected-product.ts";
import { createVolumeAdded } from "./volume-added.ts";

/**
 * `beliefs`, one for each objective, have the same base points and samples; `referenceOf` a sample is in their targets.
 * `counts(sample, base point)` says whether the point can be on that sample's front. With one objective it is the
 * expected improvement over the best that counts.
 */
export function hypervolumeFactor(
  beliefs: readonly ConditionalBelief[],
  referenceOf: (sample: number) => readonly number[],
  counts: (sample: number, base: number) => boolean,
): Factor {
  const given = Array.from({ length: beliefs[0]!.samples }, (_, m) =>
    createVolumeAdded(decompose(frontOf(beliefs, m, counts), referenceOf(m))),
  );
  const [means, deviations] = [new Float64Array(beliefs.length), new Float64Array(beliefs.length)];
  return {
    beliefs,
    logGiven(m, at, moments, derivatives) {
      for (let j = 0; j < moments.length; j++) {
        means[j] = moments[j]!.means[at]!;
        deviations[j] = moments[j]!.deviations[at]!;
      }
      const volume = given[m]!;
      const logValue = volume.logExpected(means, deviations, derivatives !== undefined);
      if (derivatives !== undefined) {
        for (let j = 0; j < moments.length; j++) {
          derivatives.byMean[j]![at] = volume.byMean[j]!;
          derivatives.byDeviation[j]![at] = volume.byDeviation[j]!;
        }
      }
      return logValue;
    },
  };
}

/** [count, objectives] sampled values of the base points that count. */
function frontOf(
  beliefs: readonly ConditionalBelief[],
  sample: number,
  counts: (sample: number, base: number) => boolean,
): Float64Array {
  const baseCount = beliefs[0]!.values.length / beliefs[0]!.samples;
  const front: number[] = [];
  for (let b = 0; b < baseCount; b++) {
    if (counts(sample, b)) for (const { values } of beliefs) front.push(values[sample * baseCount + b]!);
  }
  return Float64Array.from(front);
}
