// Gaussian process regression with ARD length scales, signal variance, known noise per observation, a learned nugget
// and a constant mean (Rasmussen and Williams 2006, algorithm 2.1). Posterior only; see marginal-likelihood.ts and
// fit.ts for the hyper-parameters.

import { choleskyWithJitter, solveLower } from "../numerics/linalg.ts";
import type { Kernel } from "./kernels/kernel.ts";

/** Observations in model units: unit-cube coordinates and standardised targets. */
export interface TrainingData {
  readonly dimension: number;
  readonly count: number;
  /** [count, dimension] row-major. */
  readonly points: Float64Array;
  /** [count] */
  readonly targets: Float64Array;
  /** [count] known noise variance of each target; 0 where unknown (the nugget covers those). */
  readonly noiseVariances: Float64Array;
}

/** Hyper-parameters as logarithms: [log l_1 .. log l_d, log signal variance, log nugget variance]. */
export type Theta = Float64Array;

/** Prior variance of the constant mean, whose prior is N(0, v) in standardised units; its MAP value is used. */
export const meanPriorVariance = 1;

export interface GaussianProcess {
  readonly data: TrainingData;
  readonly kernel: Kernel;
  readonly theta: Theta;
  /** [dimension] 1 / l_k^2 */
  readonly inverseSquaredLengths: Float64Array;
  readonly signalVariance: number;
  readonly nugget: number;
  readonly mean: number;
  /** L [count, count], lower: L L^T = K + noise. */
  readonly factor: Float64Array;
  /** [count] L^-1 (targets - mean) */
  readonly whitened: Float64Array;
}

/** The process conditioned on `data`. `meanVariance` 0 fixes the mean at zero. */
export function conditionProcess(
  data: TrainingData,
  kernel: Kernel,
  theta: Theta,
  meanVariance: number = meanPriorVariance,
): GaussianProcess {
  const { dimension, count, points } = data;
  const inverseSquaredLengths = Float64Array.from({ length: dimension }, (_, k) => Math.exp(-2 * theta[k]!));
  const signalVariance = Math.exp(theta[dimension]!);
  const nugget = Math.exp(theta[dimension + 1]!);
  const covariance = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const r2 = squaredDistance(points, i * dimension, points, j * dimension, inverseSquaredLengths);
      covariance[i * count + j] = signalVariance * kernel.correlation(r2);
    }
    covariance[i * count + i] = signalVariance + nugget + data.noiseVariances[i]!;
  }
  const factor = choleskyWithJitter(covariance, count, signalVariance);
  const { mean, whitened } = whitenResidual(factor, data.targets, count, meanVariance);
  return { data, kernel, theta, inverseSquaredLengths, signalVariance, nugget, mean, factor, whitened };
}

/** MAP constant mean under N(0, meanVariance) and the whitened residual L^-1 (targets - mean). */
export function whitenResidual(
  factor: Float64Array,
  targets: Float64Array,
  count: number,
  meanVariance: number,
): { mean: number; whitened: Float64Array } {
  const whitened = targets.slice(0, count);
  solveLower(factor, count, whitened);
  if (meanVariance === 0) return { mean: 0, whitened };
  const ones = new Float64Array(count).fill(1);
  solveLower(factor, count, ones);
  let precision = 1 / meanVariance;
  let weighted = 0;
  for (let i = 0; i < count; i++) {
    precision += ones[i]! * ones[i]!;
    weighted += ones[i]! * whitened[i]!;
  }
  const mean = weighted / precision;
  for (let i = 0; i < count; i++) whitened[i]! -= mean * ones[i]!;
  return { mean, whitened };
}

export function squaredDistance(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  bStart: number,
  inverseSquaredLengths: Float64Array,
): number {
  let r2 = 0;
  for (let k = 0; k < inverseSquaredLengths.length; k++) {
    const difference = a[aStart + k]! - b[bStart + k]!;
    r2 += difference * difference * inverseSquaredLengths[k]!;
  }
  return r2;
}

/** Writes the covariances of x [dimension] with the first `count` rows of `points` into `out`. */
export function covariances(
  gp: GaussianProcess,
  x: Float64Array,
  points: Float64Array,
  count: number,
  out: Float64Array,
): void {
  const { dimension } = gp.data;
  for (let i = 0; i < count; i++) {
    const r2 = squaredDistance(x, 0, points, i * dimension, gp.inverseSquaredLengths);
    out[i] = gp.signalVariance * gp.kernel.correlation(r2);
  }
}

/** Posterior mean and variance of the latent function (no observation noise) at x [dimension]. */
export function predictLatent(gp: GaussianProcess, x: Float64Array): { mean: number; variance: number } {
  const { count, points } = gp.data;
  const v = new Float64Array(count);
  covariances(gp, x, points, count, v);
  solveLower(gp.factor, count, v);
  let mean = gp.mean;
  let variance = gp.signalVariance;
  for (let i = 0; i < count; i++) {
    mean += v[i]! * gp.whitened[i]!;
    variance -= v[i]! * v[i]!;
  }
  return { mean, variance: Math.max(variance, 0) };
}
