// Joint posterior samples at a few base points (incumbents, pending trials) and the process conditioned on each
// sample. Base points are appended to the Cholesky factor, so sample m's whitened residual is the normal vector z^m
// itself and every sample shares one factor: conditioning on a fantasy costs nothing extra.

import { covariances, type GaussianProcess } from "../model/gp.ts";
import { extendFactor } from "../numerics/linalg.ts";

export interface Fantasies {
  readonly gp: GaussianProcess;
  /** Number of base points b and of samples m. */
  readonly baseCount: number;
  readonly sampleCount: number;
  /** [n + b, d] training points, then base points. */
  readonly points: Float64Array;
  /** [n + b, n + b] lower factor; base points carry no observation noise. */
  readonly factor: Float64Array;
  /** [m, b] standard normals. */
  readonly normals: Float64Array;
  /** [m, b] sampled latent values at the base points. */
  readonly values: Float64Array;
}

/** Conditional variance of a base point never falls below this share of the signal variance. */
const varianceFloor = 1e-9;

/** `base` is [baseCount, d], `normals` [sampleCount, baseCount]. */
export function sampleFantasies(gp: GaussianProcess, base: readonly Float64Array[], normals: Float64Array): Fantasies {
  const { dimension: d, count: n } = gp.data;
  const baseCount = base.length;
  const total = n + baseCount;
  const sampleCount = baseCount === 0 ? 1 : normals.length / baseCount;
  const points = new Float64Array(total * d);
  points.set(gp.data.points.subarray(0, n * d));
  for (const [b, x] of base.entries()) points.set(x, (n + b) * d);

  const factor = new Float64Array(total * total);
  for (let i = 0; i < n; i++) factor.set(gp.factor.subarray(i * n, i * n + i + 1), i * total);
  const row = new Float64Array(total);
  for (let i = n; i < total; i++) {
    covariances(gp, points.subarray(i * d, (i + 1) * d), points, i, row);
    row[i] = gp.signalVariance;
    factor.set(row.subarray(0, i + 1), i * total);
  }
  extendFactor(factor, 0, total, 0, n, total, varianceFloor * gp.signalVariance);

  const values = new Float64Array(sampleCount * baseCount);
  for (let b = 0; b < baseCount; b++) {
    const start = (n + b) * total;
    let mean = gp.mean;
    for (let i = 0; i < n; i++) mean += factor[start + i]! * gp.whitened[i]!;
    for (let m = 0; m < sampleCount; m++) {
      let value = mean;
      for (let c = 0; c <= b; c++) value += factor[start + n + c]! * normals[m * baseCount + c]!;
      values[m * baseCount + b] = value;
    }
  }
  return { gp, baseCount, sampleCount, points, factor, normals, values };
}

/** Per base point, the number of samples in which it is the largest (the first among equals). */
export function countWins({ baseCount, sampleCount, values }: Fantasies): Uint32Array {
  const wins = new Uint32Array(baseCount);
  for (let m = 0; m < sampleCount; m++) {
    let best = 0;
    for (let b = 1; b < baseCount; b++) if (values[m * baseCount + b]! > values[m * baseCount + best]!) best = b;
    wins[best]!++;
  }
  return wins;
}
