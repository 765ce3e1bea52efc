// Who may be best: evaluated points ranked by what the ensemble believes of them, not by the luckiest observation.

import type { Ensemble } from "../model/ensemble.ts";
import { type GaussianProcess, predictMeans, trainingMeans } from "../model/gp.ts";
import type { Model } from "../model/model.ts";
import type { RandomStream } from "../numerics/rng.ts";
import { countWins, sampleFantasies } from "./fantasies.ts";

/** Trials whose means are integrated through the transforms; the others are ranked by what their latent means become. */
const ranked = 64;

/** Indices of the model's trials by posterior mean, largest first. */
export function rankByMean({ members, trials, predict }: Model): number[] {
  const rough = new Float64Array(trials.length);
  for (const { gp, targets, weight } of members) {
    for (const [i, latent] of trainingMeans(gp).entries()) rough[i]! += weight * targets.unwarp(latent);
  }
  const order = [...trials.keys()].toSorted((a, b) => rough[b]! - rough[a]!);
  const leaders = order.slice(0, ranked).map((index) => ({ index, mean: predict(trials[index]!.unit).mean }));
  return [...leaders.toSorted((a, b) => b.mean - a.mean).map(({ index }) => index), ...order.slice(ranked)];
}

/** Probability of each of `points` to be the best of them: `sampleCount` joint posterior samples of every member. */
export function shareOfWins(
  { members }: Pick<Ensemble, "members">,
  points: readonly Float64Array[],
  sampleCount: number,
  stream: RandomStream,
): Float64Array {
  const shares = new Float64Array(points.length);
  const normals = Float64Array.from({ length: sampleCount * points.length }, () => stream.normal());
  for (const { gp, weight } of members) {
    for (const [index, wins] of countWins(sampleFantasies(gp, points, normals)).entries()) {
      shares[index]! += (weight * wins) / sampleCount;
    }
  }
  return shares;
}

/** Joint samples that tell who may be best. */
const pruningSamples = 256;

/** Those of `points` that are the best of them in some joint posterior sample, most often first. */
export function byShareOfWins(
  ensemble: Pick<Ensemble, "members">,
  points: readonly Float64Array[],
  stream: RandomStream,
): Float64Array[] {
  const shares = shareOfWins(ensemble, points, pruningSamples, stream);
  return points
    .map((unit, index) => ({ unit, share: shares[index]! }))
    .filter((one) => one.share > 0)
    .toSorted((a, b) => b.share - a.share)
    .map((one) => one.unit);
}

/** The largest posterior mean among `units`, as a target. */
export function bestLatent(gp: GaussianProcess, units: readonly Float64Array[]): number {
  return Math.max(...predictMeans(gp, Float64Array.from(units.flatMap((unit) => [...unit])), units.length));
}
