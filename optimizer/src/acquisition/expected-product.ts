// Acquisitions that concern several metrics: the mean, over joint samples at the base points, of a product of factors
// (an improvement; the probabilities that bounds hold), each in closed form given the sample. Metrics are independent
// given the sample, so the product's expectation is the product of the factors. In logarithms throughout.

import { logNormalDistribution, normalHazard } from "../numerics/normal.ts";
import type { Acquisition } from "./acquisition.ts";
import type { ConditionalBelief, Moments } from "./conditional.ts";

/** Derivatives of a factor's logarithm by the moments of each of its beliefs, laid out as the moments are. */
export interface Derivatives {
  readonly byMean: readonly Float64Array[];
  readonly byDeviation: readonly Float64Array[];
}

/** One factor, of one metric or several. */
export interface Factor {
  readonly beliefs: readonly ConditionalBelief[];
  /**
   * Logarithm of the factor given sample m, from element `at` of the moments of its beliefs. Writes element `at` of the
   * derivatives when given.
   */
  logGiven(m: number, at: number, moments: readonly Moments[], derivatives?: Derivatives): number;
}

/** Points taken together, so that memory stays bounded. */
const pointsAtOnce = 64;

/**
 * log mean over samples of the product of the factors; all beliefs have the same samples, and `logWeights` [samples]
 * says what each sample counts.
 */
export function createExpectedProduct(factors: readonly Factor[], logWeights?: Float64Array): Acquisition {
  const { samples } = factors[0]!.beliefs[0]!;
  const evaluateBlock: Acquisition["evaluate"] = (points, count, values, gradients) => {
    const parts = factors.map((factor) => ({
      factor,
      moments: factor.beliefs.map((belief) => belief.at(points, count, gradients !== undefined)),
      derivatives: gradients && {
        byMean: factor.beliefs.map(() => new Float64Array(count * samples)),
        byDeviation: factor.beliefs.map(() => new Float64Array(count * samples)),
      },
    }));
    const logs = new Float64Array(samples);
    for (let r = 0; r < count; r++) {
      logs.fill(0);
      if (logWeights !== undefined) logs.set(logWeights);
      for (const { factor, moments, derivatives } of parts) {
        for (let m = 0; m < samples; m++) logs[m]! += factor.logGiven(m, r * samples + m, moments, derivatives);
      }
      const largest = logs.reduce((a, b) => Math.max(a, b));
      values[r] = largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0) / samples);
      for (const { derivatives } of parts) {
        for (const list of derivatives === undefined ? [] : [...derivatives.byMean, ...derivatives.byDeviation]) {
          for (let m = 0; m < samples; m++) list[r * samples + m]! *= Math.exp(logs[m]! - values[r]!) / samples;
        }
      }
    }
    if (gradients === undefined) return;
    gradients.fill(0);
    for (const { moments, derivatives } of parts) {
      for (const [j, { addGradients }] of moments.entries()) {
        addGradients(derivatives!.byMean[j]!, derivatives!.byDeviation[j]!, gradients);
      }
    }
  };

  return {
    evaluate(points, count, values, gradients) {
      const d = points.length / count;
      for (let start = 0; start < count; start += pointsAtOnce) {
        const end = Math.min(count, start + pointsAtOnce);
        const block = points.subarray(start * d, end * d);
        evaluateBlock(block, end - start, values.subarray(start, end), gradients?.subarray(start * d, end * d));
      }
    },
  };
}

/** Probability that the metric is at least `bound`, in targets. */
export function boundFactor(belief: ConditionalBelief, bound: number): Factor {
  return {
    beliefs: [belief],
    logGiven(_, at, [moments], derivatives) {
      const deviation = moments!.deviations[at]!;
      const z = (moments!.means[at]! - bound) / deviation;
      if (derivatives !== undefined) {
        const hazard = normalHazard(z);
        derivatives.byMean[0]![at] = hazard / deviation;
        derivatives.byDeviation[0]![at] = (-z * hazard) / deviation;
      }
      return logNormalDistribution(z);
    },
  };
}
