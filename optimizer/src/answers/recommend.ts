// What the study would use if it had to stop now: the evaluated points with the highest posterior means. Never the
// highest observed score, which under noise is the luckiest point rather than the best.

import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import type { Score } from "../model/targets.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import type { Values } from "../space/space.ts";
import type { CompletedTrial } from "../study/ledger.ts";
import { rankFeasible } from "./feasible.ts";
import { samplePosterior } from "./posterior.ts";

export interface Recommendation {
  /** The first complete trial at this point. */
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
  /** The score that was told for it: of several evaluations their mean, weighted by precision where that is known. */
  readonly observed: { readonly value: number; readonly standardError?: number; readonly evaluations: number };
  /** Completed trials this rests on. */
  readonly trials: number;
}

const sampleCount = 1024;
/** Points further down the ranking by posterior mean are not sampled. */
const largestField = 128;
export const normal95 = 1.959963984540054;

/** At most `count` evaluated points, no two the same, best first; of those that keep the bounds, if there is one. */
export function leadersOf(model: Model, metrics: MetricModels, seed: number, count: number): Recommendation[] {
  const ranked = rankFeasible(model, metrics).map((index) => model.trials[index]!);
  const field = distinctPoints(ranked).slice(0, largestField);
  const shares = shareOfWins(model, field, seed);
  return field.slice(0, count).map((trials, index) => {
    const { id, values, unit } = trials.reduce((first, trial) => (trial.id < first.id ? trial : first));
    const { mean, standardDeviation } = model.predict(unit);
    const margin = normal95 * standardDeviation;
    return {
      id,
      values,
      mean,
      standardDeviation,
      credibleInterval: [mean - margin, mean + margin],
      probabilityFeasible: metrics.probabilityFeasible(unit),
      probabilityBest: shares[index]!,
      observed: { ...pooled(trials.map((trial) => trial.score)), evaluations: trials.length },
      trials: model.trials.length,
    };
  });
}

/** Trials by point, in the order in which the points first appear. */
function distinctPoints(trials: readonly CompletedTrial[]): CompletedTrial[][] {
  const byPoint = new Map<string, CompletedTrial[]>();
  for (const trial of trials) {
    const key = trial.unit.join();
    const here = byPoint.get(key);
    if (here === undefined) byPoint.set(key, [trial]);
    else here.push(trial);
  }
  return [...byPoint.values()];
}

function shareOfWins(model: Model, field: readonly CompletedTrial[][], seed: number): Float64Array {
  const units = field.map((trials) => trials[0]!.unit);
  const stream = createStream(seed, model.trials.length, purposes.bestness);
  const scores = samplePosterior(model, units, sampleCount, stream);
  const shares = new Float64Array(units.length);
  for (let start = 0; start < scores.length; start += units.length) {
    const sample = scores.subarray(start, start + units.length);
    shares[sample.indexOf(Math.max(...sample))]! += 1 / sampleCount;
  }
  return shares;
}

function pooled(scores: readonly Score[]): { value: number; standardError?: number } {
  const precisions = scores.map(({ standardError }) => (standardError ? standardError ** -2 : undefined));
  const areKnown = precisions.every((precision) => precision !== undefined);
  const weights = areKnown ? precisions : scores.map(() => 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const value = scores.reduce((sum, score, k) => sum + (weights[k]! / total) * score.value, 0);
  if (areKnown) return { value, standardError: Math.sqrt(1 / total) };
  const [only] = scores;
  return scores.length === 1 && only!.standardError !== undefined
    ? { value, standardError: only!.standardError }
    : { value };
}
