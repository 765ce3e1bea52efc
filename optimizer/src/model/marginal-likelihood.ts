// The fit's objective: minus the log of (marginal likelihood x priors) of theta, with its analytic gradient
// (Rasmussen and Williams 2006, eq. 5.9). The constant mean is profiled out at its MAP value.

import { addWeightedSquares, squaredDistances } from "../numerics/distances.ts";
import type { Objective } from "../numerics/lbfgs.ts";
import { cholesky, invertFromTransposed, invertLowerTransposed } from "../numerics/linalg.ts";
import { logSqrtTwoPi } from "../numerics/normal.ts";
import { solveLowerTransposed } from "../numerics/substitution.ts";
import { meanPriorVariance, scalePoints, type TrainingData, whitenResidual } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";

/** Normal prior on theta: independent components, but for a deviation that all log length scales share. */
export interface ThetaPrior {
  readonly mean: Float64Array;
  readonly standardDeviation: Float64Array;
  /** Variance of what is added to all log length scales alike; their own standard deviations must be equal. */
  readonly sharedVariance: number;
}

/** Value returned where the covariance cannot be factored; larger than any real one, finite for the line search. */
const infeasible = 1e12;

/** Minus log posterior of theta up to a constant; without `prior`, minus log marginal likelihood exactly. */
export function createFitObjective(
  data: TrainingData,
  kernel: Kernel,
  prior: ThetaPrior | undefined,
  meanVariance: number = meanPriorVariance,
): Objective {
  const { dimension: d, count: n } = data;
  const factor = new Float64Array(n * n);
  const transposed = new Float64Array(n * n);
  const correlations = new Float64Array((n * (n - 1)) / 2);
  const slopes = new Float64Array(correlations.length);
  const inverseLengths = new Float64Array(d);

  return (theta, gradient) => {
    for (let k = 0; k < d; k++) inverseLengths[k] = Math.exp(-theta[k]!);
    const signal = Math.exp(theta[d]!);
    const nugget = Math.exp(theta[d + 1]!);
    const scaled = scalePoints(data.points, n, inverseLengths);
    for (let i = 0; i < n; i++) squaredDistances(scaled, i * d, scaled, i, d, correlations, (i * (i - 1)) / 2);
    kernel.correlate(correlations, correlations.length, slopes);
    for (let i = 0, pair = 0; i < n; i++) {
      for (let j = 0; j < i; j++, pair++) factor[i * n + j] = signal * correlations[pair]!;
      factor[i * n + i] = signal * (1 + 1e-10) + nugget + data.noiseVariances[i]!;
    }
    gradient.fill(0);
    if (!cholesky(factor, n)) return infeasible;
    const { mean, whitened } = whitenResidual(factor, data.targets, n, meanVariance);
    let value = n * logSqrtTwoPi + (meanVariance > 0 ? (0.5 * mean * mean) / meanVariance : 0);
    for (let i = 0; i < n; i++) value += 0.5 * whitened[i]! * whitened[i]! + Math.log(factor[i * n + i]!);

    // With G = K^-1 - alpha alpha^T, d value / d theta = 1/2 trace(G dK / d theta).
    const alpha = whitened;
    solveLowerTransposed(factor, n, alpha);
    invertLowerTransposed(factor, n, transposed);
    const inverse = factor;
    invertFromTransposed(transposed, n, inverse);
    let bySignal = 0;
    let byNugget = 0;
    for (let i = 0, pair = 0; i < n; i++) {
      const first = pair;
      for (let j = 0; j < i; j++, pair++) {
        const g = inverse[i * n + j]! - alpha[i]! * alpha[j]!;
        bySignal += g * correlations[pair]!;
        slopes[pair]! *= g;
      }
      const g = 0.5 * (inverse[i * n + i]! - alpha[i]! * alpha[i]!);
      bySignal += g;
      byNugget += g;
      addWeightedSquares(scaled, i * d, scaled, i, d, slopes, first, gradient);
    }
    for (let k = 0; k < d; k++) gradient[k]! *= -2 * signal;
    gradient[d] = bySignal * signal;
    gradient[d + 1] = byNugget * nugget;

    return prior === undefined ? value : value + addPrior(prior, theta, gradient, d);
  };
}

/** Minus log prior density up to a constant; its gradient is added to `gradient`. */
function addPrior(prior: ThetaPrior, theta: Float64Array, gradient: Float64Array, d: number): number {
  let value = 0;
  let sum = 0;
  for (let k = 0; k < d; k++) sum += theta[k]! - prior.mean[k]!;
  // The precision of s^2 I + t 1 1^T is (I - t / (s^2 + d t) 1 1^T) / s^2.
  const ownVariance = prior.standardDeviation[0]! ** 2;
  const shared = (prior.sharedVariance * sum) / (ownVariance + d * prior.sharedVariance);
  for (let k = 0; k < d + 2; k++) {
    const deviation = theta[k]! - prior.mean[k]!;
    const slope = (k < d ? deviation - shared : deviation) / prior.standardDeviation[k]! ** 2;
    value += 0.5 * deviation * slope;
    gradient[k]! += slope;
  }
  return value;
}
