// Joint samples of what the ensemble believes. Unlike the fantasies of a proposal, which are about a few points, the
// points may be hundreds and close together: their covariance is factored with as much jitter as that needs.

import type { Ensemble } from "../model/ensemble.ts";
import { crossCovariances, type GaussianProcess, predictMeans } from "../model/gp.ts";
import { squaredDistances } from "../numerics/distances.ts";
import { choleskyWithJitter } from "../numerics/linalg.ts";
import type { RandomStream } from "../numerics/rng.ts";
import { solveLower } from "../numerics/substitution.ts";

/**
 * [sampleCount, points] true scores at `points` of unit coordinates, sampled jointly. Every member of the ensemble has
 * its share of the samples.
 */
export function samplePosterior(
  { members, scores, composition }: Ensemble,
  points: readonly Float64Array[],
  sampleCount: number,
  stream: RandomStream,
): Float64Array {
  if (composition !== undefined) {
    const parts = composition.parts.map((part) => samplePosterior(part, points, sampleCount, stream));
    return parts[0]!.map((_, at) => composition.combine(parts.map((values) => values[at]!)));
  }
  const width = points.length;
  const sampled = new Float64Array(sampleCount * width);
  let start = 0;
  let weights = 0;
  for (const { gp, weight, targets } of members) {
    weights += weight;
    const end = Math.round(weights * sampleCount);
    if (end > start) {
      const latents = sampleLatents(gp, points, end - start, stream);
      sampled.set(
        latents.map((target) => scores.offset + scores.scale * targets.unwarp(target)),
        start * width,
      );
    }
    start = end;
  }
  return sampled;
}

/** [sampleCount, points] values of the latent function, in targets. */
export function sampleLatents(
  gp: GaussianProcess,
  points: readonly Float64Array[],
  sampleCount: number,
  stream: RandomStream,
): Float64Array {
  const { dimension: d, count: n } = gp.data;
  const width = points.length;
  const flat = new Float64Array(width * d);
  for (const [index, unit] of points.entries()) flat.set(unit, index * d);
  const means = predictMeans(gp, flat, width);
  const known = crossCovariances(gp, flat, width);
  solveLower(gp.factor, n, known, width);
  const scaled = flat.map((coordinate, at) => coordinate * gp.inverseLengths[at % d]!);
  const { factor } = choleskyWithJitter(width, gp.signalVariance, (a) => {
    for (let i = 0; i < width; i++) squaredDistances(scaled, i * d, scaled, i + 1, d, a, i * width);
    for (let i = 0; i < width; i++) {
      const row = a.subarray(i * width, i * width + i + 1);
      gp.kernel.correlate(row, i + 1);
      for (let j = 0; j <= i; j++) {
        let explained = 0;
        for (let k = 0; k < n; k++) explained += known[i * n + k]! * known[j * n + k]!;
        row[j] = gp.signalVariance * row[j]! - explained;
      }
    }
  });
  const samples = new Float64Array(sampleCount * width);
  const normals = new Float64Array(width);
  for (let start = 0; start < samples.length; start += width) {
    for (let j = 0; j < width; j++) normals[j] = stream.normal();
    for (let i = 0; i < width; i++) {
      let value = means[i]!;
      for (let j = 0; j <= i; j++) value += factor[i * width + j]! * normals[j]!;
      samples[start + i] = value;
    }
  }
  return samples;
}
