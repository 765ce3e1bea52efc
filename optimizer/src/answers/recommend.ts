// What the study would use if it had to stop now: the evaluated point with the highest posterior mean. Never the
// highest observed score, which under noise is the luckiest point rather than the best.

import { shareOfWins } from "../acquisition/leaders.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import type { Values } from "../space/space.ts";
import { rankFeasible } from "./feasible.ts";

export interface Recommendation {
  readonly id: number;
  readonly values: Values;
  /** Posterior mean and standard deviation of the true score there, in score units. */
  readonly mean: number;
  readonly standardDeviation: number;
  /** Central 95 % credible interval of the true score. */
  readonly credibleInterval: readonly [low: number, high: number];
  /**
   * Probability that the true values of its metrics keep all constraints; 1 without any. Below 0.9 only if no evaluated
   * point has more: then nothing that was found is good enough, and this is the likeliest to be.
   */
  readonly probabilityFeasible: number;
  /** Probability that it is the best of all evaluated points that can be recommended (joint posterior samples). */
  readonly probabilityBest: number;
  /** The score that was told for it. */
  readonly observed: { readonly value: number; readonly standardError?: number };
  /** Completed trials this rests on. */
  readonly trials: number;
}

const sampleCount = 1024;
/** Points further down the ranking by posterior mean are not sampled. */
const largestField = 128;
const normal95 = 1.959963984540054;

export function recommendFrom(model: Model, metrics: MetricModels, seed: number): Recommendation {
  const field = rankFeasible(model, metrics)
    .slice(0, largestField)
    .map((index) => model.trials[index]!);
  const best = field[0]!;
  const stream = createStream(seed, model.trials.length, purposes.bestness);
  const units = field.map((trial) => trial.unit);
  const shares = shareOfWins(model, units, sampleCount, stream);
  const { mean, standardDeviation } = model.predict(best.unit);
  const { value, standardError } = best.score;
  return {
    id: best.id,
    values: best.values,
    mean,
    standardDeviation,
    credibleInterval: [mean - normal95 * standardDeviation, mean + normal95 * standardDeviation],
    probabilityFeasible: metrics.probabilityFeasible(best.unit),
    probabilityBest: shares[0]!,
    observed: standardError === undefined ? { value } : { value, standardError },
    trials: model.trials.length,
  };
}
