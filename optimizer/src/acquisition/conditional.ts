// What an ensemble believes of a new point, given each of several joint samples at the base points. A sample belongs to
// one member, drawn by weight; given the sample the value at x is normal, with a mean of its own and the member's
// deviation, both differentiable in x.

import { covariances, type GaussianProcess, squaredDistance } from "../model/gp.ts";
import { solveLower, solveLowerTransposed } from "../numerics/linalg.ts";
import { type Fantasies, sampleFantasies } from "./fantasies.ts";

export interface ConditionalBelief {
  readonly samples: number;
  /** [samples, base points] sampled values at the base points, in targets. */
  readonly values: Float64Array;
  /** [samples] moments of the value at the `x` of the last `evaluate`, in targets. */
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  evaluate(x: Float64Array): void;
  /** Adds to `gradient` [d] that of a function of the last x whose derivatives by means and deviations are given. */
  addGradient(byMean: Float64Array, byDeviation: Float64Array, gradient: Float64Array): void;
}

/** Relative floor of the conditional variance: keeps the improvement defined at points already known. */
const varianceFloor = 1e-12;

/** One of the processes that explain a metric, and how likely it is the right one. */
export interface WeightedProcess {
  readonly gp: GaussianProcess;
  readonly weight: number;
}

/** `normals` is [samples, base points]; `quantiles` [samples] in (0, 1) draw the members, whose weights sum to 1. */
export function createConditionalBelief(
  members: readonly WeightedProcess[],
  base: readonly Float64Array[],
  normals: Float64Array,
  quantiles: Float64Array,
): ConditionalBelief {
  const samples = quantiles.length;
  const own = drawMembers(
    members.map((member) => member.weight),
    quantiles,
  );
  const drawn = members
    .map(({ gp }, index) => ({ gp, rows: own[index]! }))
    .filter(({ rows }) => rows.length > 0)
    .map(({ gp, rows }) => createMember(sampleFantasies(gp, base, normals), rows));
  const values = new Float64Array(samples * base.length);
  for (const { fantasies, rows } of drawn) {
    for (const m of rows) {
      const start = m * base.length;
      values.set(fantasies.values.subarray(start, start + base.length), start);
    }
  }
  const means = new Float64Array(samples);
  const deviations = new Float64Array(samples);
  return {
    samples,
    values,
    means,
    deviations,
    evaluate(x) {
      for (const member of drawn) member.evaluate(x, means, deviations);
    },
    addGradient(byMean, byDeviation, gradient) {
      for (const member of drawn) member.addGradient(byMean, byDeviation, gradient);
    },
  };
}

/** For each member the samples that are its own. */
function drawMembers(weights: readonly number[], quantiles: Float64Array): number[][] {
  const own: number[][] = weights.map(() => []);
  for (const [sample, quantile] of quantiles.entries()) {
    let index = 0;
    for (let below = weights[0]!; index < weights.length - 1 && quantile > below; ) below += weights[++index]!;
    own[index]!.push(sample);
  }
  return own;
}

function createMember(fantasies: Fantasies, rows: readonly number[]) {
  const { gp, baseCount, points, factor, normals } = fantasies;
  const { dimension: d, count: n } = gp.data;
  const total = n + baseCount;
  const x = new Float64Array(d);
  const v = new Float64Array(total);
  const adjoint = new Float64Array(total);
  let deviation = 0;
  return {
    fantasies,
    rows,
    evaluate(point: Float64Array, means: Float64Array, deviations: Float64Array): void {
      x.set(point);
      covariances(gp, x, points, total, v);
      solveLower(factor, total, v);
      let mean = gp.mean;
      let variance = gp.signalVariance;
      for (let i = 0; i < n; i++) mean += v[i]! * gp.whitened[i]!;
      for (let i = 0; i < total; i++) variance -= v[i]! * v[i]!;
      deviation = Math.sqrt(Math.max(variance, varianceFloor * gp.signalVariance));
      for (const m of rows) {
        let sampleMean = mean;
        for (let b = 0; b < baseCount; b++) sampleMean += v[n + b]! * normals[m * baseCount + b]!;
        means[m] = sampleMean;
        deviations[m] = deviation;
      }
    },
    addGradient(byMean: Float64Array, byDeviation: Float64Array, gradient: Float64Array): void {
      // One adjoint pass: a = d value / d v, then d value / d k = L^-T a, then the chain through each covariance.
      adjoint.fill(0);
      let meanWeight = 0;
      let deviationWeight = 0;
      for (const m of rows) {
        meanWeight += byMean[m]!;
        deviationWeight += byDeviation[m]!;
        for (let b = 0; b < baseCount; b++) adjoint[n + b]! += byMean[m]! * normals[m * baseCount + b]!;
      }
      const shrink = deviationWeight / deviation;
      for (let i = 0; i < n; i++) adjoint[i] = meanWeight * gp.whitened[i]!;
      for (let i = 0; i < total; i++) adjoint[i]! -= shrink * v[i]!;
      solveLowerTransposed(factor, total, adjoint);
      for (let i = 0; i < total; i++) {
        const r2 = squaredDistance(x, 0, points, i * d, gp.inverseSquaredLengths);
        const slope = 2 * adjoint[i]! * gp.signalVariance * gp.kernel.derivative(r2);
        for (let k = 0; k < d; k++) {
          gradient[k]! += slope * (x[k]! - points[i * d + k]!) * gp.inverseSquaredLengths[k]!;
        }
      }
    },
  };
}
