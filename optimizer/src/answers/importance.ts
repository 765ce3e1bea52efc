// How much each dimension matters: total-effect Sobol indices of the typical score over the whole space (Jansen's
// estimator on scrambled Sobol points; Saltelli et al. 2010), scaled to sum to 1. About the model's belief, so an
// unexplored dimension counts little however much it may matter.

import { typicalScores } from "../model/ensemble.ts";
import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";

const sampleCount = 256;

/** Shares >= 0 of the space's groups, summing to 1, or all 0 when the posterior mean is flat. */
export function totalEffects(model: Model, space: Space, seed: number): Float64Array {
  const { size, groups } = space;
  const sobol = createSobol(2 * size, createStream(seed, model.trials.length, purposes.importance));
  const pair = new Float64Array(2 * size);
  const effects = new Float64Array(groups.length);
  for (let index = 0; index < sampleCount; index++) {
    sobol.point(index, pair);
    const [x, other] = [pair.slice(0, size), pair.slice(size)];
    space.spread(x);
    space.spread(other);
    const points = new Float64Array((groups.length + 1) * size);
    for (const [k, { from, to }] of groups.entries()) {
      points.set(x, k * size);
      points.set(other.subarray(from, to), k * size + from);
    }
    points.set(x, groups.length * size);
    const scores = typicalScores(model.members, points, groups.length + 1);
    for (let k = 0; k < groups.length; k++) effects[k]! += (scores[k]! - scores[groups.length]!) ** 2;
  }
  const total = effects.reduce((sum, effect) => sum + effect, 0);
  return total > 0 ? effects.map((effect) => effect / total) : effects;
}
