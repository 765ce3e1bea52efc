// What an ensemble believes of a new point, given each of several joint samples at the base points. A sample belongs to
// one member, drawn by weight; given the sample the value at x is normal, with a mean of its own and the member's
// deviation, both differentiable in x.

import type { GaussianProcess } from "../model/gp.ts";
import { type Fantasies, sampleFantasies } from "./fantasies.ts";
import { posteriorAt, type SampledPosterior } from "./posterior.ts";

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
  const { sampleCount } = fantasies;
  let posterior: SampledPosterior | undefined;
  return {
    fantasies,
    rows,
    evaluate(x: Float64Array, means: Float64Array, deviations: Float64Array): void {
      posterior = posteriorAt(fantasies, x, 1, true);
      for (const m of rows) {
        means[m] = posterior.means[m]!;
        deviations[m] = posterior.deviations[0]!;
      }
    },
    addGradient(byMean: Float64Array, byDeviation: Float64Array, gradient: Float64Array): void {
      const byMeans = new Float64Array(sampleCount);
      let deviationWeight = 0;
      for (const m of rows) {
        byMeans[m] = byMean[m]!;
        deviationWeight += byDeviation[m]!;
      }
      posterior!.addGradients(byMeans, Float64Array.of(deviationWeight), gradient);
    },
  };
}
