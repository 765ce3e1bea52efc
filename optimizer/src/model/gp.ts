// Gaussian process regression with ARD length scales, signal variance, known noise per observation, a learned nugget
// and a constant mean (Rasmussen and Williams 2006, algorithm 2.1). Posterior only; see marginal-likelihood.ts and
// fit.ts for the hyper-parameters.

import { squaredDistances } from "../numerics/distances.ts";
import { choleskyWithJitter, type FactoredRows } from "../numerics/linalg.ts";
import { solveLower, solveLowerTransposed } from "../numerics/substitution.ts";
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
  /** [dimension] 1 / l_k */
  readonly inverseLengths: Float64Array;
  /** [count, dimension] training points divided by the length scales */
  readonly scaledPoints: Float64Array;
  readonly signalVariance: number;
  readonly nugget: number;
  /** Variance added to the diagonal so that the covariance could be factored; 0 if none. */
  readonly jitter: number;
  readonly mean: number;
  /** L [count, count], lower: L L^T = K + noise; above the diagonal undefined. */
  readonly factor: Float64Array;
  /** [count] L^-1 (targets - mean) */
  readonly whitened: Float64Array;
  /** [count] (K + noise)^-1 (targets - mean) */
  readonly weights: Float64Array;
}

/**
 * The process conditioned on `data`. `meanVariance` 0 fixes the mean at zero. Rows that `previous`, conditioned with
 * the same kernel and theta, has factored already are taken from it: appended observations cost O(count^2) instead of
 * O(count^3), and every bit is the same as without. Throws RangeError when theta or data are not finite.
 */
export function conditionProcess(
  data: TrainingData,
  kernel: Kernel,
  theta: Theta,
  meanVariance: number = meanPriorVariance,
  previous?: GaussianProcess,
): GaussianProcess {
  const { dimension, count, points } = data;
  const inverseLengths = Float64Array.from({ length: dimension }, (_, k) => Math.exp(-theta[k]!));
  const signalVariance = Math.exp(theta[dimension]!);
  const nugget = Math.exp(theta[dimension + 1]!);
  const scaledPoints = scalePoints(points, count, inverseLengths);

  const row = new Float64Array(count);
  const fillRows = (factor: Float64Array, from: number): void => {
    for (let i = from; i < count; i++) {
      squaredDistances(scaledPoints, i * dimension, scaledPoints, i, dimension, row, 0);
      kernel.correlate(row, i);
      const start = i * count;
      for (let j = 0; j < i; j++) factor[start + j] = signalVariance * row[j]!;
      factor[start + i] = signalVariance + nugget + data.noiseVariances[i]!;
    }
  };
  const { factor, jitter } = choleskyWithJitter(
    count,
    signalVariance,
    fillRows,
    knownRows(previous, data, kernel, theta),
  );
  const { mean, whitened } = whitenResidual(factor, data.targets, count, meanVariance);
  const weights = whitened.slice();
  solveLowerTransposed(factor, count, weights);
  return {
    data,
    kernel,
    theta,
    inverseLengths,
    scaledPoints,
    signalVariance,
    nugget,
    jitter,
    mean,
    factor,
    whitened,
    weights,
  };
}

/** The leading rows of the previous factor that the new one will have too. */
function knownRows(
  previous: GaussianProcess | undefined,
  data: TrainingData,
  kernel: Kernel,
  theta: Theta,
): FactoredRows | undefined {
  if (previous === undefined || previous.kernel !== kernel) return undefined;
  if (theta.length !== previous.theta.length || theta.some((value, k) => value !== previous.theta[k])) return undefined;
  const { dimension: d } = data;
  const { count: most, points, noiseVariances } = previous.data;
  let count = 0;
  while (count < Math.min(most, data.count) && noiseVariances[count] === data.noiseVariances[count]) {
    const start = count * d;
    let k = 0;
    while (k < d && points[start + k] === data.points[start + k]) k++;
    if (k < d) break;
    count++;
  }
  // A jitter that later rows needed is not known to be needed by these.
  if (count === 0 || (previous.jitter > 0 && count < most)) return undefined;
  return { factor: previous.factor, stride: most, count, jitter: previous.jitter };
}

/** The first `count` rows of `points` [count, d] divided by the length scales. */
export function scalePoints(points: Float64Array, count: number, inverseLengths: Float64Array): Float64Array {
  const d = inverseLengths.length;
  const scaled = new Float64Array(count * d);
  for (let i = 0, at = 0; i < count; i++) {
    for (let k = 0; k < d; k++, at++) scaled[at] = points[at]! * inverseLengths[k]!;
  }
  return scaled;
}

/** MAP constant mean under N(0, meanVariance) and the whitened residual L^-1 (targets - mean). */
export function whitenResidual(
  factor: Float64Array,
  targets: Float64Array,
  count: number,
  meanVariance: number,
): { mean: number; whitened: Float64Array } {
  const both = new Float64Array(2 * count).fill(1);
  both.set(targets.subarray(0, count));
  solveLower(factor, count, both, 2);
  const whitened = both.slice(0, count);
  if (meanVariance === 0) return { mean: 0, whitened };
  const ones = both.subarray(count);
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

export interface LatentPredictions {
  /** [count] posterior means */
  readonly means: Float64Array;
  /** [count] posterior variances of the latent function, without observation noise */
  readonly variances: Float64Array;
}

/** Points taken together, so that memory stays bounded. */
const pointsAtOnce = 128;

/** Posterior of the latent function at the first `count` rows of `points` [count, d]. */
export function predictLatents(gp: GaussianProcess, points: Float64Array, count: number): LatentPredictions {
  const { dimension: d, count: n } = gp.data;
  const means = predictMeans(gp, points, count);
  const variances = new Float64Array(count);
  for (let start = 0; start < count; start += pointsAtOnce) {
    const rows = Math.min(pointsAtOnce, count - start);
    const v = crossCovariances(gp, points.subarray(start * d, (start + rows) * d), rows);
    solveLower(gp.factor, n, v, rows);
    for (let r = 0; r < rows; r++) {
      let variance = gp.signalVariance;
      for (let i = r * n; i < (r + 1) * n; i++) variance -= v[i]! * v[i]!;
      variances[start + r] = Math.max(variance, 0);
    }
  }
  return { means, variances };
}

/** Posterior means at the first `count` rows of `points` [count, d], in O(n d) each. */
export function predictMeans(gp: GaussianProcess, points: Float64Array, count: number): Float64Array {
  const { dimension: d, count: n } = gp.data;
  const means = new Float64Array(count).fill(gp.mean);
  for (let start = 0; start < count; start += pointsAtOnce) {
    const rows = Math.min(pointsAtOnce, count - start);
    const k = crossCovariances(gp, points.subarray(start * d, (start + rows) * d), rows);
    for (let r = 0; r < rows; r++) for (let i = 0; i < n; i++) means[start + r]! += k[r * n + i]! * gp.weights[i]!;
  }
  return means;
}

/** Posterior means at all training points, without predicting any: K alpha = targets - mean - noise alpha. */
export function trainingMeans({ data, nugget, jitter, weights }: GaussianProcess): Float64Array {
  return weights.map((weight, i) => data.targets[i]! - (nugget + jitter + data.noiseVariances[i]!) * weight);
}

/** Posterior mean and variance of the latent function (no observation noise) at x [dimension]. */
export function predictLatent(gp: GaussianProcess, x: Float64Array): { mean: number; variance: number } {
  const { means, variances } = predictLatents(gp, x, 1);
  return { mean: means[0]!, variance: variances[0]! };
}

/**
 * Posterior covariances [count, columns] of the latent function at the first `count` rows of `points` [count, d] with its first
 * `columns` rows, and the variances [count].
 */
export function covariancesWithFirst(
  gp: GaussianProcess,
  points: Float64Array,
  count: number,
  columns: number,
): { readonly covariances: Float64Array; readonly variances: Float64Array } {
  const { dimension: d, count: n } = gp.data;
  const scaled = scalePoints(points, count, gp.inverseLengths);
  const v = crossCovariances(gp, points, count);
  solveLower(gp.factor, n, v, count);
  const covariances = new Float64Array(count * columns);
  for (let r = 0; r < count; r++) squaredDistances(scaled, r * d, scaled, columns, d, covariances, r * columns);
  gp.kernel.correlate(covariances, covariances.length);
  const variances = new Float64Array(count);
  for (let r = 0; r < count; r++) {
    for (let c = 0; c < columns; c++) {
      const at = r * columns + c;
      covariances[at] = gp.signalVariance * covariances[at]! - product(v, r * n, c * n, n);
    }
    variances[r] = Math.max(gp.signalVariance - product(v, r * n, r * n, n), 0);
  }
  return { covariances, variances };
}

/** Four sums side by side, as they do not wait for one another. */
function product(v: Float64Array, a: number, b: number, n: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < n; i += 4) {
    s0 += v[a + i]! * v[b + i]!;
    s1 += v[a + i + 1]! * v[b + i + 1]!;
    s2 += v[a + i + 2]! * v[b + i + 2]!;
    s3 += v[a + i + 3]! * v[b + i + 3]!;
  }
  for (; i < n; i++) s0 += v[a + i]! * v[b + i]!;
  return s0 + s1 + (s2 + s3);
}

/** Prior covariances [rows, count] of the first `rows` rows of `points` with the training points. */
export function crossCovariances(gp: GaussianProcess, points: Float64Array, rows: number): Float64Array {
  const { dimension: d, count: n } = gp.data;
  const scaled = scalePoints(points, rows, gp.inverseLengths);
  const out = new Float64Array(rows * n);
  for (let r = 0; r < rows; r++) squaredDistances(scaled, r * d, gp.scaledPoints, n, d, out, r * n);
  gp.kernel.correlate(out, rows * n);
  for (let i = 0; i < out.length; i++) out[i]! *= gp.signalVariance;
  return out;
}
