// MAP hyper-parameters of the Gaussian process: dimension-scaled log-normal length-scale priors (Hvarfner, Hellsten,
// Nardi, "Vanilla Bayesian optimization performs great in high dimensions", ICML 2024), bounded L-BFGS in log space.

import { type LbfgsOptions, minimise } from "../numerics/lbfgs.ts";
import type { Theta, TrainingData } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { createFitObjective, type ThetaPrior } from "./marginal-likelihood.ts";

export interface FitOptions {
  /** Every target has a known noise variance, so the nugget only has to cover what the model cannot. */
  readonly isNoiseKnown: boolean;
  /** Where an earlier fit of the same study ended. */
  readonly warmStart: Theta | undefined;
}

const searching = { maxIterations: 12, gradientTolerance: 1e-2, valueTolerance: 1e-4 };
const finishing = { maxIterations: 50, gradientTolerance: 1e-3, valueTolerance: 1e-5 };

export interface Fit {
  readonly theta: Theta;
  /** Log of (marginal likelihood x priors) at the MAP hyper-parameters, up to a constant that all kernels share. */
  readonly logEvidence: number;
}

/**
 * A rough fit: a few steps from the warm start, or from the prior's mode where there is none, and with `isThorough`
 * from several places. Deterministic, as the finished fit is: the same data and options give the same theta, bit for
 * bit, on one engine.
 */
export function searchTheta(
  data: TrainingData,
  kernel: Kernel,
  options: FitOptions & { readonly isThorough: boolean },
): Fit {
  const places = startingPoints(data.dimension, thetaPrior(data.dimension, options.isNoiseKnown));
  const warm = options.warmStart === undefined ? [] : [options.warmStart];
  const starts = options.isThorough ? [...warm, ...places] : [warm[0] ?? places[0]!];
  const reached = starts.map((start) => run(data, kernel, options.isNoiseKnown, start, searching));
  return reached.reduce((a, b) => (b.logEvidence > a.logEvidence ? b : a));
}

/** The fit that the warm start, or without one the prior's mode, leads to. */
export function finishTheta(data: TrainingData, kernel: Kernel, { isNoiseKnown, warmStart }: FitOptions): Fit {
  const start = warmStart ?? startingPoints(data.dimension, thetaPrior(data.dimension, isNoiseKnown))[0]!;
  return run(data, kernel, isNoiseKnown, start, finishing);
}

function run(data: TrainingData, kernel: Kernel, isNoiseKnown: boolean, start: Theta, limits: LbfgsOptions): Fit {
  const objective = createFitObjective(data, kernel, thetaPrior(data.dimension, isNoiseKnown));
  const { low, high } = thetaBounds(data.dimension);
  const { x, value } = minimise(objective, start, low, high, limits);
  return { theta: x, logEvidence: -value };
}

/** Of the papers' variance 3 of a log length scale, the part that is the dimension's own; the rest all share. */
const ownLengthVariance = 0.75;
const lengthVariance = 3;

/**
 * Normal priors on the logarithms. A LogNormal(m, s) density on x equals, up to a constant, a normal one on log x
 * with mean m - s^2: the MAP mode is the mode of the density in x, as in the papers. Unlike in the papers the length
 * scales are not independent: how fast a score changes is mostly a property of the problem, and under noise, or in
 * many dimensions, only what they have in common can be learned soon.
 */
export function thetaPrior(dimension: number, isNoiseKnown: boolean): ThetaPrior {
  const mean = new Float64Array(dimension + 2).fill(Math.SQRT2 + 0.5 * Math.log(dimension) - lengthVariance);
  const standardDeviation = new Float64Array(dimension + 2).fill(Math.sqrt(ownLengthVariance));
  mean[dimension] = 0;
  standardDeviation[dimension] = 0.7;
  // Nugget ~ LogNormal(-5, 2), or LogNormal(-9, 1.5) beside known noise.
  mean[dimension + 1] = isNoiseKnown ? -9 - 1.5 ** 2 : -5 - 2 ** 2;
  standardDeviation[dimension + 1] = isNoiseKnown ? 1.5 : 2;
  return { mean, standardDeviation, sharedVariance: lengthVariance - ownLengthVariance };
}

function thetaBounds(dimension: number): { low: Float64Array; high: Float64Array } {
  const low = new Float64Array(dimension + 2).fill(Math.log(0.01));
  const high = new Float64Array(dimension + 2).fill(Math.log(1000));
  low[dimension] = -4;
  high[dimension] = 4;
  low[dimension + 1] = Math.log(1e-8);
  high[dimension + 1] = Math.log(4);
  return { low, high };
}

/** The prior's mode with some noise; smooth and noisy; rough and precise. */
function startingPoints(dimension: number, prior: ThetaPrior): Theta[] {
  const start = (lengthShift: number, logNugget: number): Theta =>
    Float64Array.from(prior.mean, (mean, k) => {
      if (k < dimension) return mean + lengthShift;
      return k === dimension ? 0 : logNugget;
    });
  return [start(0, -5), start(1.5, -2.5), start(-0.7, -9)];
}
