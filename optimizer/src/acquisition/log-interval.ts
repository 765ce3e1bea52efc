// How much of an interval a normal number reaches, in logarithms: the factor that one objective gives to one box of
// the expected hypervolume improvement. Stable where both ends underflow, and where they nearly cancel.

import { logNormalDistribution, normalHazard } from "../numerics/normal.ts";

/** log h at an end of the interval with [Phi / h, phi / h] there, as `logImprovement` gives them. */
export interface IntervalEnd {
  /** (mean - end) / deviation; -Infinity for an interval without an upper end. */
  readonly u: number;
  readonly logValue: number;
  readonly distributionRatio: number;
  readonly densityRatio: number;
}

/** Narrower than this the ends have no digits to tell them apart, and the middle stands for the interval. */
const narrow = 1e-5;

/**
 * log E[length of the part of (low, high) below z] for z ~ N(mean, deviation^2), in units of the deviation: the
 * logarithm of h(low.u) - h(high.u). Writes the derivatives of the logarithm of the length by the mean and by the
 * deviation, both times the deviation, into `derivatives` [2].
 */
export function logReached(low: IntervalEnd, high: IntervalEnd, derivatives: Float64Array): number {
  const width = low.u - high.u;
  if (width * Math.max(1, -low.u) < narrow) {
    const middle = 0.5 * (low.u + high.u);
    const hazard = normalHazard(middle);
    derivatives[0] = hazard;
    derivatives[1] = -middle * hazard;
    return Math.log(width) + logNormalDistribution(middle);
  }
  const share = Math.exp(high.logValue - low.logValue);
  const rest = -Math.expm1(high.logValue - low.logValue);
  derivatives[0] = (low.distributionRatio - share * high.distributionRatio) / rest;
  derivatives[1] = (low.densityRatio - share * high.densityRatio) / rest;
  return low.logValue + Math.log(rest);
}
