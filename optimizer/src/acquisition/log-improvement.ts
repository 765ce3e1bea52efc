// The logarithm of the expected improvement of a standard normal, stable for any threshold (Ament et al.,
// "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS 2023, section 4.1).

import { logSqrtTwoPi, millsRatio, normalDistribution } from "../numerics/normal.ts";

/** Below this the direct form loses digits to cancellation and the asymptotic series takes over. */
const asymptotic = -100;

/**
 * log h(u) with h(u) = phi(u) + u Phi(u), so that EI = sigma h((mean - best) / sigma). Writes [Phi / h, phi / h] into
 * `ratios`: the derivatives of sigma h(mean / sigma) with respect to mean and sigma, divided by h.
 */
export function logImprovement(u: number, ratios?: Float64Array): number {
  const logDensity = -0.5 * u * u - logSqrtTwoPi;
  let logValue: number;
  let densityRatio: number;
  let distributionRatio: number;
  if (u > -1) {
    const density = Math.exp(logDensity);
    const distribution = normalDistribution(u);
    const value = density + u * distribution;
    logValue = Math.log(value);
    densityRatio = density / value;
    distributionRatio = distribution / value;
  } else {
    const mills = millsRatio(u);
    const share = improvementShare(u, mills);
    logValue = logDensity + Math.log(share);
    densityRatio = 1 / share;
    distributionRatio = mills / share;
  }
  if (ratios !== undefined) {
    ratios[0] = distributionRatio;
    ratios[1] = densityRatio;
  }
  return logValue;
}

/** h / phi = 1 + u Phi / phi for u <= -1, from the Mills ratio Phi / phi. */
export function improvementShare(u: number, mills: number): number {
  return u > asymptotic ? 1 + u * mills : asymptoticShare(u);
}

/** The same for u far below 0: u^-2 - 3 u^-4 + 15 u^-6 - 105 u^-8 .. */
function asymptoticShare(u: number): number {
  const t = 1 / (u * u);
  return t * (1 - t * (3 - t * (15 - t * 105)));
}

const sqrtTwoPi = Math.sqrt(2 * Math.PI);

/** The mean improvement over several thresholds that share one standard deviation. */
export interface LogMeanImprovement {
  /** log of the mean over m of h(u[m]); also fills `byMean` and `byDeviation`. */
  value(u: Float64Array): number;
  /** [m] Phi(u_m) / sum h: the derivative by each mean, times the standard deviation. */
  readonly byMean: Float64Array;
  /** sum phi / sum h: the derivative of log (sigma mean h) by sigma, times sigma. */
  readonly byDeviation: number;
}

/**
 * Works with densities relative to that of the largest u below 0, so that one exponential for each threshold serves the
 * value and both derivatives and nothing underflows that matters.
 */
export function createLogMeanImprovement(count: number): LogMeanImprovement {
  const byMean = new Float64Array(count);
  let byDeviation = 0;
  return {
    byMean,
    get byDeviation() {
      return byDeviation;
    },
    value(u) {
      let reference = u[0]!;
      for (let m = 1; m < count; m++) if (u[m]! > reference) reference = u[m]!;
      if (reference > 0) reference = 0;
      let sum = 0;
      let densities = 0;
      for (let m = 0; m < count; m++) {
        const z = u[m]!;
        const density = Math.exp(0.5 * (reference - z) * (reference + z));
        const mills = millsRatio(-Math.abs(z));
        const distribution = z < 0 ? density * mills : sqrtTwoPi - density * mills;
        if (z > -1) sum += density + z * distribution;
        else sum += density * improvementShare(z, mills);
        densities += density;
        byMean[m] = distribution;
      }
      for (let m = 0; m < count; m++) byMean[m]! /= sum;
      byDeviation = densities / sum;
      return Math.log(sum / count) - 0.5 * reference * reference - logSqrtTwoPi;
    },
  };
}
