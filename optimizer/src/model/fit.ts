// MAP hyper-parameters of the Gaussian process: dimension-scaled log-normal length-scale priors (Hvarfner, Hellsten,
// Nardi, "Vanilla Bayesian optimization performs great in high dimensions", ICML 2024), bounded L-BFGS in log space.

import { type LbfgsResult, minimise } from "../numerics/lbfgs.ts";
import type { Theta, TrainingData } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { createFitObjective, type ThetaPrior } from "./marginal-likelihood.ts";
import { takeRows } from "./subset.ts";

export interface FitOptions {
  /** Every target has a known noise variance, so the nugget only has to cover what the model cannot. */
  readonly isNoiseKnown: boolean;
  /** Where an earlier fit of the same study ended. */
  readonly warmStart: Theta | undefined;
  /** Try several starts rather than only the warm one, or where there is none the prior's mode. */
  readonly isThorough: boolean;
  /** The observations that decide. */
  readonly rows: Uint32Array;
}

const searching = { maxIterations: 12, gradientTolerance: 1e-2, valueTolerance: 1e-4 };
const finishing = { maxIterations: 50, gradientTolerance: 1e-3, valueTolerance: 1e-6 };
const continuing = { maxIterations: 20, gradientTolerance: 1e-3, valueTolerance: 1e-6 };

export interface Fit {
  readonly theta: Theta;
  /** Log of (marginal likelihood of `rows` x priors) at the MAP hyper-parameters, up to a constant all kernels share. */
  readonly logEvidence: number;
}

/** Deterministic: the same data and options give the same theta, bit for bit, on one engine. */
export function fitTheta(data: TrainingData, kernel: Kernel, options: FitOptions): Fit {
  const { dimension } = data;
  const prior = thetaPrior(dimension, options.isNoiseKnown);
  const objective = createFitObjective(observationsAt(data, options.rows), kernel, prior);
  const bounds = thetaBounds(dimension);
  const run = (start: Theta, limits: typeof searching) => minimise(objective, start, bounds.low, bounds.high, limits);
  const conclude = ({ x, value }: LbfgsResult): Fit => ({ theta: x, logEvidence: -value });

  const starts = startingPoints(dimension, prior);
  if (!options.isThorough) return conclude(run(options.warmStart ?? starts[0]!, continuing));
  if (options.warmStart !== undefined) starts.unshift(options.warmStart);
  const reached = starts.map((start) => run(start, searching));
  const best = reached.reduce((a, b) => (b.value < a.value ? b : a));
  return conclude(run(best.x, finishing));
}

function observationsAt(data: TrainingData, rows: Uint32Array): TrainingData {
  const { dimension } = data;
  return {
    dimension,
    count: rows.length,
    points: takeRows(data.points, dimension, rows),
    targets: takeRows(data.targets, 1, rows),
    noiseVariances: takeRows(data.noiseVariances, 1, rows),
  };
}

/**
 * Normal priors on the logarithms. A LogNormal(m, s) density on x equals, up to a constant, a normal one on log x
 * with mean m - s^2: the MAP mode is the mode of the density in x, as in the papers.
 */
export function thetaPrior(dimension: number, isNoiseKnown: boolean): ThetaPrior {
  const mean = new Float64Array(dimension + 2).fill(Math.SQRT2 + 0.5 * Math.log(dimension) - 3);
  const standardDeviation = new Float64Array(dimension + 2).fill(Math.sqrt(3));
  mean[dimension] = 0;
  standardDeviation[dimension] = 0.7;
  // Nugget ~ LogNormal(-5, 2), or LogNormal(-9, 1.5) beside known noise.
  mean[dimension + 1] = isNoiseKnown ? -9 - 1.5 ** 2 : -5 - 2 ** 2;
  standardDeviation[dimension + 1] = isNoiseKnown ? 1.5 : 2;
  return { mean, standardDeviation };
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
