// How much each dimension matters: total-effect Sobol indices of the posterior mean over the whole cube (Jansen's
// estimator on scrambled Sobol points; Saltelli et al. 2010), scaled to sum to 1. About the model's belief, so an
// unexplored dimension counts little however much it may matter.

import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";

const sampleCount = 256;

/** [dimension] shares >= 0 summing to 1, or all 0 when the posterior mean is flat. */
export function totalEffects(model: Model, seed: number): Float64Array {
  const { dimension } = model.members[0]!.gp.data;
  const sobol = createSobol(2 * dimension, createStream(seed, model.trials.length, purposes.importance));
  const pair = new Float64Array(2 * dimension);
  const effects = new Float64Array(dimension);
  for (let index = 0; index < sampleCount; index++) {
    sobol.point(index, pair);
    const x = pair.slice(0, dimension);
    const base = model.predict(x).mean;
    for (let k = 0; k < dimension; k++) {
      const kept = x[k]!;
      x[k] = pair[dimension + k]!;
      effects[k]! += (model.predict(x).mean - base) ** 2;
      x[k] = kept;
    }
  }
  const total = effects.reduce((sum, effect) => sum + effect, 0);
  return total > 0 ? effects.map((effect) => effect / total) : effects;
}
