// Is it worth going on? What the best point of the whole space is expected to have over the recommended one, by joint
// samples of what the model believes, against the noise of one evaluation: a gain that is a small part of the noise of
// the very scores it would be measured by is none (the idea of Makarova et al. 2022, with the expectation in the place
// of a bound that holds with high probability, which in more than a few dimensions is never reached).

import { createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { sampleFantasies } from "../acquisition/fantasies.ts";
import { rankCandidates } from "../acquisition/maximise.ts";
import { StudyError } from "../errors.ts";
import { predictLatent } from "../model/gp.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import type { Space } from "../space/space.ts";
import { rankFeasible } from "./feasible.ts";
import { sampleLatents } from "./posterior.ts";

export interface StopReport {
  readonly stop: boolean;
  /** Why, or why not yet, in words. */
  readonly reason: string;
  /** Expected score of the best point of the space minus that of the recommended point; infinite while nothing is known. */
  readonly expectedRemainingImprovement: number;
  /** Standard deviation of one evaluation of the recommended point: its own standard error, and what the model adds. */
  readonly noise: number;
  /** The expected improvement at which the search stops. */
  readonly threshold: number;
  /** Complete trials this rests on. */
  readonly trials: number;
}

export interface StopOptions {
  /** The share of the noise that a gain must exceed to be worth going on for. Default: 1/3. */
  readonly noiseShare?: number;
  /** The smallest gain worth going on for, in score units, where the noise is smaller. Default: 0. */
  readonly tolerance?: number;
  /** Complete trials before which the search does not stop. Default: twice the initial trials, and these after all stages. */
  readonly leastTrials?: number;
}

const leaderCount = 16;
const fantasyCount = 32;
/** Candidates that are sampled jointly: the points of the space most likely to be better. */
const fieldSize = 192;
const sampleCount = 256;

/** Scores that differ by less than this share of their spread are the same. */
const smallestNoise = 1e-4;

/** What is known of a study with a complete trial. */
interface Known {
  readonly model: Model;
  readonly metrics: MetricModels;
  readonly space: Space;
  readonly seed: number;
}

function remainingOf({
  model,
  metrics,
  space,
  seed,
}: Known): Pick<StopReport, "expectedRemainingImprovement" | "noise"> {
  const count = model.trials.length;
  const leaders = rankFeasible(model, metrics)
    .slice(0, leaderCount)
    .map((index) => model.trials[index]!);
  const units = leaders.map((trial) => trial.unit);
  const { unit: recommended, score } = leaders[0]!;
  const stream = createStream(seed, count, purposes.stopping);
  const normals = Float64Array.from({ length: fantasyCount * units.length }, () => stream.normal());
  const mayKeepBounds = (unit: Float64Array): boolean => metrics.probabilityFeasible(unit) >= 0.5;
  let improvement = 0;
  let variance = (score.standardError ?? 0) ** 2 + (smallestNoise * model.scores.scale) ** 2;
  for (const { gp, weight, targets } of model.members) {
    const acquisition = createLogNoisyImprovement(sampleFantasies(gp, units, normals));
    const ranked = rankCandidates({ space, acquisition, incumbents: units, seed, trial: count });
    const better = ranked.slice(0, fieldSize).map(({ x }) => x);
    const field = [recommended, ...units.slice(1), ...better.filter(mayKeepBounds)];
    const values = sampleLatents(gp, field, sampleCount, stream);
    let gain = 0;
    for (let start = 0; start < values.length; start += field.length) {
      gain += (Math.max(...values.subarray(start, start + field.length)) - values[start]!) / sampleCount;
    }
    // From targets to scores by the slope at the recommended point: far from it the inverse of a warp exaggerates.
    const slope = model.scores.scale * targets.slope(predictLatent(gp, recommended).mean);
    improvement += weight * gain * slope;
    variance += weight * gp.nugget * slope ** 2;
  }
  return { expectedRemainingImprovement: improvement, noise: Math.sqrt(variance) };
}

/** Throws StudyError on an option that makes no sense. */
export function checkStopOptions(options: StopOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !(typeof value === "number" && value >= 0)) {
      throw new StudyError(`the ${name} of stopping must be a number >= 0, not ${value}`);
    }
  }
}

/** `known` is undefined while no trial is complete. */
export function stopReportOf(
  known: Known | undefined,
  { noiseShare = 1 / 3, tolerance = 0, leastTrials }: StopOptions & { readonly leastTrials: number },
): StopReport {
  const trials = known?.model.completed ?? 0;
  const { expectedRemainingImprovement, noise } =
    known === undefined ? { expectedRemainingImprovement: Number.POSITIVE_INFINITY, noise: 0 } : remainingOf(known);
  const threshold = Math.max(noiseShare * noise, tolerance);
  const facts = { expectedRemainingImprovement, noise, threshold, trials };
  if (trials < leastTrials) return { stop: false, reason: `${trials} of at least ${leastTrials} trials`, ...facts };
  const stop = expectedRemainingImprovement <= threshold;
  const [gain, limit] = [expectedRemainingImprovement, threshold].map((value) => value.toPrecision(2));
  const what =
    tolerance > noiseShare * noise ? "the tolerance" : `${noiseShare.toPrecision(2)} of the noise of a score`;
  return {
    stop,
    reason: `the best point is expected to gain ${gain}, ${stop ? "within" : "above"} ${limit}, ${what}`,
    ...facts,
  };
}
