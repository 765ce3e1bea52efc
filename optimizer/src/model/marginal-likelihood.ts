// The fit's objective: minus the log of (marginal likelihood x priors) of theta, with its analytic gradient
// (Rasmussen and Williams 2006, eq. 5.9). The constant mean is profiled out at its MAP value.

import type { Objective } from "../numerics/lbfgs.ts";
import { cholesky, invertFromTransposed, invertLowerTransposed, solveLowerTransposed } from "../numerics/linalg.ts";
import { logSqrtTwoPi } from "../numerics/normal.ts";
import { meanPriorVariance, type TrainingData, whitenResidual } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";

/** Normal prior on each component of theta. */
export interface ThetaPrior {
  readonly mean: Float64Array;
  readonly standardDeviation: Float64Array;
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
  const squares = pairSquares(data);
  const factor = new Float64Array(n * n);
  const transposed = new Float64Array(n * n);
  const distances = new Float64Array((n * (n - 1)) / 2);
  const correlations = new Float64Array(distances.length);
  const inverseSquaredLengths = new Float64Array(d);

  return (theta, gradient) => {
    for (let k = 0; k < d; k++) inverseSquaredLengths[k] = Math.exp(-2 * theta[k]!);
    const signal = Math.exp(theta[d]!);
    const nugget = Math.exp(theta[d + 1]!);
    for (let i = 0, pair = 0; i < n; i++) {
      for (let j = 0; j < i; j++, pair++) {
        let r2 = 0;
        for (let k = 0; k < d; k++) r2 += squares[pair * d + k]! * inverseSquaredLengths[k]!;
        distances[pair] = r2;
        correlations[pair] = kernel.correlation(r2);
        factor[i * n + j] = signal * correlations[pair]!;
      }
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
      for (let j = 0; j < i; j++, pair++) {
        const g = inverse[i * n + j]! - alpha[i]! * alpha[j]!;
        bySignal += g * correlations[pair]!;
        const byDistance = -2 * g * signal * kernel.derivative(distances[pair]!);
        for (let k = 0; k < d; k++) gradient[k]! += byDistance * squares[pair * d + k]!;
      }
      const g = 0.5 * (inverse[i * n + i]! - alpha[i]! * alpha[i]!);
      bySignal += g;
      byNugget += g;
    }
    for (let k = 0; k < d; k++) gradient[k]! *= inverseSquaredLengths[k]!;
    gradient[d] = bySignal * signal;
    gradient[d + 1] = byNugget * nugget;

    if (prior !== undefined) {
      for (let k = 0; k < d + 2; k++) {
        const z = (theta[k]! - prior.mean[k]!) / prior.standardDeviation[k]!;
        value += 0.5 * z * z;
        gradient[k]! += z / prior.standardDeviation[k]!;
      }
    }
    return value;
  };
}

/** (x_ik - x_jk)^2 for every pair i > j: [n (n - 1) / 2, d]. */
function pairSquares({ dimension: d, count: n, points }: TrainingData): Float64Array {
  const squares = new Float64Array(((n * (n - 1)) / 2) * d);
  let next = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      for (let k = 0; k < d; k++) {
        const difference = points[i * d + k]! - points[j * d + k]!;
        squares[next++] = difference * difference;
      }
    }
  }
  return squares;
}
