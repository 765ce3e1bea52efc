// Who may be best: evaluated points ranked by what the ensemble believes of them, not by the luckiest observation.

import type { Ensemble } from "../model/ensemble.ts";
import type { Model } from "../model/model.ts";
import type { RandomStream } from "../numerics/rng.ts";
import { countWins, sampleFantasies } from "./fantasies.ts";

/** Indices of the model's trials by posterior mean, largest first. */
export function rankByMean(model: Model): number[] {
  const means = model.trials.map((trial) => model.predict(trial.unit).mean);
  return means.map((_, index) => index).toSorted((a, b) => means[b]! - means[a]!);
}

/** Probability of each of `points` to be the best of them: `sampleCount` joint posterior samples of every member. */
export function shareOfWins(
  { members }: Ensemble,
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
