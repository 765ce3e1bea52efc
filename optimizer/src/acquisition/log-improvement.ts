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
    const share = u > asymptotic ? 1 + u * mills : asymptoticShare(u);
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

/** h / phi = 1 + u Phi / phi for u far below 0: u^-2 - 3 u^-4 + 15 u^-6 - 105 u^-8 .. */
function asymptoticShare(u: number): number {
  const t = 1 / (u * u);
  return t * (1 - t * (3 - t * (15 - t * 105)));
}
