// Is the recommended point better than what one had before? Answered from joint samples, because two scores that the
// model ties together are compared far better than their intervals suggest.

import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { samplePosterior } from "./posterior.ts";

/** Of the true score over that of the best baseline, in score units. */
export interface Improvement {
  readonly mean: number;
  readonly standardDeviation: number;
  /** Central 95 % credible interval. */
  readonly credibleInterval: readonly [low: number, high: number];
  /** Probability that there is one at all. */
  readonly probability: number;
}

const sampleCount = 4096;

/** What `unit` gains over the best of `baselines`, whichever that is. */
export function improvementOf(
  model: Model,
  unit: Float64Array,
  baselines: readonly Float64Array[],
  seed: number,
): Improvement {
  const stream = createStream(seed, model.trials.length, purposes.improvement);
  // Of a point that is compared with itself every sample is 0.
  const others = baselines.filter((baseline) => baseline.some((coordinate, k) => coordinate !== unit[k]));
  const scores = samplePosterior(model, [unit, ...others], sampleCount, stream);
  const floor = others.length < baselines.length ? 0 : Number.POSITIVE_INFINITY;
  const gains = new Float64Array(sampleCount);
  for (let m = 0; m < sampleCount; m++) {
    const own = scores[m * (others.length + 1)]!;
    let gain = floor;
    for (let b = 1; b <= others.length; b++) gain = Math.min(gain, own - scores[m * (others.length + 1) + b]!);
    gains[m] = gain;
  }
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / sampleCount;
  const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / sampleCount;
  const sorted = gains.toSorted();
  return {
    mean,
    standardDeviation: Math.sqrt(variance),
    credibleInterval: [sorted[Math.floor(0.025 * sampleCount)]!, sorted[Math.floor(0.975 * sampleCount)]!],
    probability: gains.filter((gain) => gain > 0).length / sampleCount,
  };
}
