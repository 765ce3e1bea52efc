// Acquisitions that concern several metrics: the mean, over joint samples at the base points, of a product of factors
// (an improvement; the probabilities that bounds hold), each in closed form given the sample. Metrics are independent
// given the sample, so the product's expectation is the product of the factors. In logarithms throughout.

import { logNormalDistribution, normalHazard } from "../numerics/normal.ts";
import type { Acquisition } from "./acquisition.ts";
import type { ConditionalBelief } from "./conditional.ts";
import { logImprovement } from "./log-improvement.ts";

/** One factor, of one metric or several. */
export interface Factor {
  readonly beliefs: readonly ConditionalBelief[];
  /**
   * Logarithm of the factor given sample m, once the beliefs were evaluated. Writes its derivatives by the mean and the
   * deviation of belief j into element m of `byMean[j]` and `byDeviation[j]`.
   */
  logGiven(m: number, byMean: readonly Float64Array[], byDeviation: readonly Float64Array[]): number;
}

/** log mean over samples of the product of the factors; all beliefs have the same samples. */
export function createExpectedProduct(factors: readonly Factor[]): Acquisition {
  const { samples } = factors[0]!.beliefs[0]!;
  const parts = factors.map((factor) => ({
    factor,
    byMean: factor.beliefs.map(() => new Float64Array(samples)),
    byDeviation: factor.beliefs.map(() => new Float64Array(samples)),
  }));
  const logs = new Float64Array(samples);

  const evaluateOne = (x: Float64Array, gradient: Float64Array | undefined): number => {
    for (const { beliefs } of factors) for (const belief of beliefs) belief.evaluate(x);
    logs.fill(0);
    for (const { factor, byMean, byDeviation } of parts) {
      for (let m = 0; m < samples; m++) logs[m]! += factor.logGiven(m, byMean, byDeviation);
    }
    const largest = logs.reduce((a, b) => Math.max(a, b));
    const value = largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0) / samples);
    if (gradient === undefined) return value;
    gradient.fill(0);
    const weights = logs.map((log) => Math.exp(log - value) / samples);
    for (const { factor, byMean, byDeviation } of parts) {
      for (const [j, belief] of factor.beliefs.entries()) {
        for (let m = 0; m < samples; m++) {
          byMean[j]![m]! *= weights[m]!;
          byDeviation[j]![m]! *= weights[m]!;
        }
        belief.addGradient(byMean[j]!, byDeviation[j]!, gradient);
      }
    }
    return value;
  };

  return {
    evaluate(points, count, values, gradients) {
      const d = points.length / count;
      for (let r = 0; r < count; r++) {
        values[r] = evaluateOne(points.subarray(r * d, (r + 1) * d), gradients?.subarray(r * d, (r + 1) * d));
      }
    },
  };
}

/** Expected improvement over the threshold of each sample, [samples] in targets. */
export function improvementFactor(belief: ConditionalBelief, thresholds: Float64Array): Factor {
  const ratios = new Float64Array(2);
  return {
    beliefs: [belief],
    logGiven(m, byMean, byDeviation) {
      const deviation = belief.deviations[m]!;
      const logValue = logImprovement((belief.means[m]! - thresholds[m]!) / deviation, ratios);
      byMean[0]![m] = ratios[0]! / deviation;
      byDeviation[0]![m] = ratios[1]! / deviation;
      return logValue + Math.log(deviation);
    },
  };
}

/** Probability that the metric is at least `bound`, in targets. */
export function boundFactor(belief: ConditionalBelief, bound: number): Factor {
  return {
    beliefs: [belief],
    logGiven(m, byMean, byDeviation) {
      const deviation = belief.deviations[m]!;
      const z = (belief.means[m]! - bound) / deviation;
      const hazard = normalHazard(z);
      byMean[0]![m] = hazard / deviation;
      byDeviation[0]![m] = (-z * hazard) / deviation;
      return logNormalDistribution(z);
    },
  };
}
