// Joint posterior samples at a few base points (incumbents, pending trials) and the process conditioned on each
// sample. Base points are rows below the Cholesky factor, so sample m's whitened residual is the normal vector z^m
// itself and every sample shares one factor: conditioning on a fantasy costs nothing extra.

import { type GaussianProcess, scalePoints } from "../model/gp.ts";
import { squaredDistances } from "../numerics/distances.ts";
import { extendFactor } from "../numerics/linalg.ts";
import { solveColumns } from "../numerics/substitution.ts";

export interface Fantasies {
  readonly gp: GaussianProcess;
  /** Number of base points b and of samples m. */
  readonly baseCount: number;
  readonly sampleCount: number;
  /** [b, d] base points divided by the length scales */
  readonly scaledBase: Float64Array;
  /** [b, n + b] rows of the lower factor below those of the training points; base points carry no observation noise. */
  readonly border: Float64Array;
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
  const points = new Float64Array(baseCount * d);
  for (const [b, x] of base.entries()) points.set(x, b * d);
  const scaledBase = scalePoints(points, baseCount, gp.inverseLengths);

  const border = new Float64Array(baseCount * total);
  for (let b = 0; b < baseCount; b++) {
    squaredDistances(scaledBase, b * d, gp.scaledPoints, n, d, border, b * total);
    squaredDistances(scaledBase, b * d, scaledBase, baseCount, d, border, b * total + n);
  }
  gp.kernel.correlate(border, border.length);
  for (let i = 0; i < border.length; i++) border[i]! *= gp.signalVariance;
  solveColumns(gp.factor, 0, n, 0, 0, n, border, 0, total, baseCount, 0);
  extendFactor(border, 0, total, n, n, total, varianceFloor * gp.signalVariance);

  const values = new Float64Array(sampleCount * baseCount);
  for (let b = 0; b < baseCount; b++) {
    const start = b * total;
    let mean = gp.mean;
    for (let i = 0; i < n; i++) mean += border[start + i]! * gp.whitened[i]!;
    for (let m = 0; m < sampleCount; m++) {
      let value = mean;
      for (let c = 0; c <= b; c++) value += border[start + n + c]! * normals[m * baseCount + c]!;
      values[m * baseCount + b] = value;
    }
  }
  return { gp, baseCount, sampleCount, scaledBase, border, normals, values };
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
