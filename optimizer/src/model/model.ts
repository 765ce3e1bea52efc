// The surrogate of a study: the Gaussian process on standardised scores of the completed trials. A pure function of
// the ledger, so that it can be dropped and rebuilt at any time.

import type { CompletedTrial, Ledger } from "../study/ledger.ts";
import { fitProcess } from "./fit.ts";
import { conditionProcess, type GaussianProcess, predictLatent, type TrainingData } from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";
import { type StandardisedScores, standardise } from "./targets.ts";

export interface Model {
  /** Trials it was fitted to, by id; row i of the training data is trial i of this list. */
  readonly trials: readonly CompletedTrial[];
  readonly scores: StandardisedScores;
  readonly gp: GaussianProcess;
  /** Posterior mean and standard deviation of the score at unit coordinates, in score units. */
  predict(unit: Float64Array): Prediction;
}

/** A belief about the true score at one point, without observation noise, in score units. */
export interface Prediction {
  readonly mean: number;
  readonly standardDeviation: number;
}

/** `dimension` is the number of searched dimensions. At least one trial must be complete. */
export function fitModel(dimension: number, ledger: Ledger): Model {
  const trials = ledger.completed();
  const scores = standardise(trials.map((trial) => trial.score));
  const data: TrainingData = {
    dimension,
    count: trials.length,
    points: Float64Array.from(trials.flatMap((trial) => [...trial.unit])),
    targets: scores.targets,
    noiseVariances: scores.noiseVariances,
  };
  const last = ledger.lastModel;
  const recorded = last === undefined ? undefined : Float64Array.from(last.theta);
  const gp =
    recorded !== undefined && last?.trials === trials.length
      ? conditionProcess(data, matern52, recorded)
      : fitProcess(data, matern52, {
          isNoiseKnown: scores.isNoiseKnown,
          warmStart: recorded,
          isThorough: last === undefined || isMilestoneBetween(last.trials, trials.length),
        });
  const predict = (unit: Float64Array): Prediction => {
    const { mean, variance } = predictLatent(gp, unit);
    return { mean: scores.offset + scores.scale * mean, standardDeviation: scores.scale * Math.sqrt(variance) };
  };
  return { trials, scores, gp, predict };
}

/**
 * Several starts cost several fits: always while there are few trials, then each time the trials have grown by an
 * eighth; in between the fit continues from where the last one ended.
 */
function isMilestoneBetween(before: number, now: number): boolean {
  let milestone = 32;
  while (milestone <= before) milestone += Math.floor(milestone / 8);
  return now <= 32 || milestone <= now;
}
