// What an ensemble believes of new points, given each of several joint samples at the base points. A sample belongs to
// one member, drawn by weight; given the sample a value is normal, with a mean of its own and the member's deviation.

import type { GaussianProcess } from "../model/gp.ts";
import { normalQuantile } from "../numerics/normal.ts";
import type { RandomStream } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import { sampleFantasies } from "./fantasies.ts";
import { posteriorAt } from "./posterior.ts";

export interface ConditionalBelief {
  readonly samples: number;
  /** [samples] the position of the member that a sample belongs to. */
  readonly memberOf: Uint8Array;
  /** [samples, base points] sampled values at the base points, in targets. */
  readonly values: Float64Array;
  /** At the `count` rows of `points` [count, d]. */
  at(points: Float64Array, count: number, withGradients: boolean): Moments;
}

export interface Moments {
  /** [count, samples] of the values, in targets. */
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  /**
   * Adds to `gradients` [count, d] those of functions of the moments, one for each point, whose derivatives are `byMean`
   * and `byDeviation` [count, samples]. To be called once, and only where gradients were asked for.
   */
  addGradients(byMean: Float64Array, byDeviation: Float64Array, gradients: Float64Array): void;
}

/** One of the processes that explain a metric, and how likely it is the right one. */
export interface WeightedProcess {
  readonly gp: GaussianProcess;
  readonly weight: number;
}

/** Joint samples of several independent metrics at the same base points: quasi-random, so that few samples will do. */
export function sampleBeliefs(
  metrics: readonly (readonly WeightedProcess[])[],
  base: readonly Float64Array[],
  samples: number,
  stream: RandomStream,
): ConditionalBelief[] {
  const width = base.length + 1;
  const sobol = createSobol(metrics.length * width, stream);
  const draws = new Float64Array(metrics.length * width);
  const normals = metrics.map(() => new Float64Array(samples * base.length));
  const quantiles = metrics.map(() => new Float64Array(samples));
  for (let m = 0; m < samples; m++) {
    sobol.point(m, draws);
    for (let j = 0; j < metrics.length; j++) {
      quantiles[j]![m] = draws[j * width]!;
      for (let b = 0; b < base.length; b++) {
        normals[j]![m * base.length + b] = normalQuantile(draws[j * width + 1 + b]!);
      }
    }
  }
  return metrics.map((members, j) => createConditionalBelief(members, base, normals[j]!, quantiles[j]!));
}

/** `normals` is [samples, base points]; `quantiles` [samples] in (0, 1) draw the members, whose weights sum to 1. */
export function createConditionalBelief(
  members: readonly WeightedProcess[],
  base: readonly Float64Array[],
  normals: Float64Array,
  quantiles: Float64Array,
): ConditionalBelief {
  const samples = quantiles.length;
  const baseCount = base.length;
  const memberOf = Uint8Array.from(quantiles, (quantile) => drawMember(members, quantile));
  const drawn = members
    .map(({ gp }, member) => ({ gp, own: [...memberOf.keys()].filter((m) => memberOf[m] === member) }))
    .filter(({ own }) => own.length > 0)
    .map(({ gp, own }) => {
      const rows = new Float64Array(own.length * baseCount);
      for (const [k, m] of own.entries()) rows.set(normals.subarray(m * baseCount, (m + 1) * baseCount), k * baseCount);
      return { own, fantasies: sampleFantasies(gp, base, rows) };
    });
  const values = new Float64Array(samples * baseCount);
  for (const { fantasies, own } of drawn) {
    for (const [k, m] of own.entries()) {
      values.set(fantasies.values.subarray(k * baseCount, (k + 1) * baseCount), m * baseCount);
    }
  }

  return {
    samples,
    memberOf,
    values,
    at(points, count, withGradients) {
      const posteriors = drawn.map(({ fantasies, own }) => {
        return { own, width: fantasies.sampleCount, posterior: posteriorAt(fantasies, points, count, withGradients) };
      });
      const means = new Float64Array(count * samples);
      const deviations = new Float64Array(count * samples);
      for (const { own, width, posterior } of posteriors) {
        for (let r = 0; r < count; r++) {
          for (let k = 0; k < own.length; k++) {
            // Without base points one sample stands for all.
            means[r * samples + own[k]!] = posterior.means[r * width + (k % width)]!;
            deviations[r * samples + own[k]!] = posterior.deviations[r]!;
          }
        }
      }
      return {
        means,
        deviations,
        addGradients(byMean, byDeviation, gradients) {
          for (const { own, width, posterior } of posteriors) {
            const ownMeans = new Float64Array(count * width);
            const ownDeviations = new Float64Array(count);
            for (let r = 0; r < count; r++) {
              for (let k = 0; k < own.length; k++) {
                ownMeans[r * width + (k % width)]! += byMean[r * samples + own[k]!]!;
                ownDeviations[r]! += byDeviation[r * samples + own[k]!]!;
              }
            }
            posterior.addGradients(ownMeans, ownDeviations, gradients);
          }
        },
      };
    },
  };
}

/** The member in whose share of [0, 1] the quantile lies. */
function drawMember(members: readonly WeightedProcess[], quantile: number): number {
  let index = 0;
  for (let below = members[0]!.weight; index < members.length - 1 && quantile > below; ) {
    below += members[++index]!.weight;
  }
  return index;
}
