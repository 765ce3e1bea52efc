// The process at new points, given each joint sample at the base points: a normal whose mean depends on the sample and
// whose deviation does not, with the gradient of anything made of them. The dear part of every acquisition, so points
// come in blocks.

import { scalePoints } from "../model/gp.ts";
import { addWeightedDifferences, squaredDistances } from "../numerics/distances.ts";
import { solveColumns, solveColumnsTransposed } from "../numerics/substitution.ts";
import type { Fantasies } from "./fantasies.ts";

export interface SampledPosterior {
  /** [count, samples] means in targets */
  readonly means: Float64Array;
  /** [count] standard deviations in targets */
  readonly deviations: Float64Array;
  /**
   * Adds to `gradients` [count, d] those of functions of the moments, one for each point, whose derivatives are
   * `byMeans` [count, samples] and `byDeviations` [count]. To be called once, and only where gradients were asked for.
   */
  addGradients(byMeans: Float64Array, byDeviations: Float64Array, gradients: Float64Array): void;
}

/** Relative floor of the conditional variance: keeps improvements defined at points already known. */
const varianceFloor = 1e-12;

/** At the `count` rows of `points` [count, d]. One matrix of `count` times all points of the process is made, or two. */
export function posteriorAt(
  fantasies: Fantasies,
  points: Float64Array,
  count: number,
  withGradients: boolean,
): SampledPosterior {
  const { gp, baseCount, sampleCount, scaledBase, border, normals } = fantasies;
  const { dimension: d, count: n } = gp.data;
  const total = n + baseCount;
  const scaled = scalePoints(points, count, gp.inverseLengths);
  // Covariances, then their whitened form L^-1 k, then derivatives by the covariances.
  const v = new Float64Array(count * total);
  const slopes = withGradients ? new Float64Array(count * total) : undefined;
  for (let r = 0; r < count; r++) {
    squaredDistances(scaled, r * d, gp.scaledPoints, n, d, v, r * total);
    squaredDistances(scaled, r * d, scaledBase, baseCount, d, v, r * total + n);
  }
  gp.kernel.correlate(v, v.length, slopes);
  for (let i = 0; i < v.length; i++) v[i]! *= gp.signalVariance;
  solveColumns(gp.factor, 0, n, 0, 0, n, v, 0, total, count, 0);
  solveColumns(border, 0, total, n, n, total, v, 0, total, count, 0);

  const means = new Float64Array(count * sampleCount);
  const deviations = new Float64Array(count);
  for (let r = 0; r < count; r++) {
    const start = r * total;
    let mean = gp.mean;
    let variance = gp.signalVariance;
    for (let i = 0; i < n; i++) {
      const element = v[start + i]!;
      mean += element * gp.whitened[i]!;
      variance -= element * element;
    }
    for (let b = start + n; b < start + total; b++) variance -= v[b]! * v[b]!;
    deviations[r] = Math.sqrt(Math.max(variance, varianceFloor * gp.signalVariance));
    const shifts = means.subarray(r * sampleCount, (r + 1) * sampleCount).fill(mean);
    addProducts(normals, baseCount, v, start + n, shifts);
  }

  return {
    means,
    deviations,
    addGradients(byMeans, byDeviations, gradients) {
      // One adjoint pass: a = d value / d v, then d value / d k = L^-T a, then the chain through each covariance.
      for (let r = 0; r < count; r++) {
        const start = r * total;
        const shrink = byDeviations[r]! / deviations[r]!;
        let byMean = 0;
        for (let m = 0; m < sampleCount; m++) byMean += byMeans[r * sampleCount + m]!;
        for (let i = 0; i < n; i++) v[start + i] = byMean * gp.whitened[i]! - shrink * v[start + i]!;
        for (let b = start + n; b < start + total; b++) v[b]! *= -shrink;
        for (let m = 0; m < sampleCount; m++) {
          const weight = byMeans[r * sampleCount + m]!;
          for (let b = 0; b < baseCount; b++) v[start + n + b]! += weight * normals[m * baseCount + b]!;
        }
      }
      solveColumnsTransposed(border, 0, total, n, total, v, total, count);
      solveColumnsTransposed(gp.factor, 0, n, 0, n, v, total, count);
      for (let i = 0; i < v.length; i++) v[i]! *= 2 * gp.signalVariance * slopes![i]!;
      const gradient = new Float64Array(d);
      for (let r = 0; r < count; r++) {
        gradient.fill(0);
        addWeightedDifferences(scaled, r * d, gp.scaledPoints, n, d, v, r * total, gradient, 0);
        addWeightedDifferences(scaled, r * d, scaledBase, baseCount, d, v, r * total + n, gradient, 0);
        for (let k = 0; k < d; k++) gradients[r * d + k]! += gradient[k]! * gp.inverseLengths[k]!;
      }
    },
  };
}

/** out[m] += sum over b of normals[m, b] v[at + b] */
function addProducts(normals: Float64Array, baseCount: number, v: Float64Array, at: number, out: Float64Array): void {
  let m = 0;
  for (; m + 3 < out.length; m += 4) {
    const z0 = m * baseCount;
    const z1 = z0 + baseCount;
    const z2 = z1 + baseCount;
    const z3 = z2 + baseCount;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let b = 0; b < baseCount; b++) {
      const element = v[at + b]!;
      s0 += element * normals[z0 + b]!;
      s1 += element * normals[z1 + b]!;
      s2 += element * normals[z2 + b]!;
      s3 += element * normals[z3 + b]!;
    }
    out[m]! += s0;
    out[m + 1]! += s1;
    out[m + 2]! += s2;
    out[m + 3]! += s3;
  }
  for (; m < out.length; m++) {
    let sum = 0;
    for (let b = 0; b < baseCount; b++) sum += v[at + b]! * normals[m * baseCount + b]!;
    out[m]! += sum;
  }
}
