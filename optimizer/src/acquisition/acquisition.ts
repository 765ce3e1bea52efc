// Log noisy expected improvement, conditioned on what is in flight: the mean over joint samples at the base points of
// the analytic expected improvement over that sample's best (Letham et al. 2019; log form of Ament et al. 2023; given
// the sample, the improvement at x is integrated exactly, which needs far fewer samples than sampling x too).
// Without noise and pending trials it is exactly log EI.

import type { Fantasies } from "./fantasies.ts";
import { createLogMeanImprovement } from "./log-improvement.ts";
import { posteriorAt } from "./posterior.ts";

export interface Acquisition {
  /**
   * Writes the value at each of the `count` rows of `points` [count, d] into `values` [count], larger being better,
   * and, when given, the gradients there into `gradients` [count, d]. A point has the same bits alone and among others.
   */
  evaluate(points: Float64Array, count: number, values: Float64Array, gradients?: Float64Array): void;
}

/** Points taken together, so that memory stays bounded. */
const pointsAtOnce = 128;

/** In units of the process's targets. */
export function createLogNoisyImprovement(fantasies: Fantasies): Acquisition {
  const { sampleCount } = fantasies;
  const { dimension: d } = fantasies.gp.data;
  const bests = bestPerSample(fantasies);
  const thresholds = new Float64Array(sampleCount);
  const improvement = createLogMeanImprovement(sampleCount);

  const evaluateBlock: Acquisition["evaluate"] = (points, count, values, gradients) => {
    const posterior = posteriorAt(fantasies, points, count, gradients !== undefined);
    const { means, deviations } = posterior;
    const byDeviations = new Float64Array(count);
    for (let r = 0; r < count; r++) {
      const deviation = deviations[r]!;
      const start = r * sampleCount;
      for (let m = 0; m < sampleCount; m++) thresholds[m] = (means[start + m]! - bests[m]!) / deviation;
      values[r] = improvement.value(thresholds) + Math.log(deviation);
      byDeviations[r] = improvement.byDeviation / deviation;
      // The means are read; their derivatives take their place.
      for (let m = 0; m < sampleCount; m++) means[start + m] = improvement.byMean[m]! / deviation;
    }
    if (gradients === undefined) return;
    gradients.fill(0);
    posterior.addGradients(means, byDeviations, gradients);
  };

  return {
    evaluate(points, count, values, gradients) {
      for (let start = 0; start < count; start += pointsAtOnce) {
        const end = Math.min(count, start + pointsAtOnce);
        evaluateBlock(
          points.subarray(start * d, end * d),
          end - start,
          values.subarray(start, end),
          gradients?.subarray(start * d, end * d),
        );
      }
    },
  };
}

function bestPerSample({ baseCount, sampleCount, values }: Fantasies): Float64Array {
  return Float64Array.from({ length: sampleCount }, (_, m) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let b = 0; b < baseCount; b++) best = Math.max(best, values[m * baseCount + b]!);
    return best;
  });
}
