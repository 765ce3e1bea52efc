// Does the model know what it does not know? Every trial is predicted from all others, in closed form from the inverse
// covariance (Rasmussen and Williams 2006, section 5.4.2; the constant mean is integrated out, so it is left one out
// too). Hyper-parameters and weights of the members stay those of all trials.

import { type Member, momentsOf } from "../model/ensemble.ts";
import { type GaussianProcess, meanPriorVariance } from "../model/gp.ts";
import type { Model } from "../model/model.ts";
import { invertLowerTransposed } from "../numerics/linalg.ts";
import { normalDistribution, normalQuantile } from "../numerics/normal.ts";
import { normal95 } from "./recommend.ts";

/** A trial beside what the others say of it, in score units. */
export interface LeftOut {
  readonly id: number;
  readonly observed: number;
  /** Mean and standard deviation expected of the observation, its noise included. */
  readonly mean: number;
  readonly standardDeviation: number;
  /** Where the observation lies in what was expected, as a standard normal: of a calibrated model 95 % are within 1.96. */
  readonly residual: number;
}

export interface Calibration {
  readonly trials: readonly LeftOut[];
  /** Share of observations within their central 95 % interval. */
  readonly coverage: number;
  /** 1 where errors are as large as expected; above 1 the model is too sure of itself, below too timid. */
  readonly meanSquaredResidual: number;
}

export function calibrationOf(model: Model): Calibration {
  const { offset, scale } = model.scores;
  const beliefs = model.members.map((member) => leaveOneOut(member));
  const trials = model.trials.map(({ id, score }, i): LeftOut => {
    const parts = beliefs.map((belief, m) => ({ weight: model.members[m]!.weight, ...belief[i]! }));
    const mean = parts.reduce((sum, part) => sum + part.weight * part.mean, 0);
    const variance = parts.reduce(
      (sum, part) => sum + part.weight * (part.standardDeviation ** 2 + (part.mean - mean) ** 2),
      0,
    );
    return {
      id,
      observed: score.value,
      mean: offset + scale * mean,
      standardDeviation: scale * Math.sqrt(variance),
      residual: mixedResidual(parts),
    };
  });
  const isCovered = trials.filter(({ residual }) => Math.abs(residual) <= normal95);
  return {
    trials,
    coverage: isCovered.length / trials.length,
    meanSquaredResidual: trials.reduce((sum, { residual }) => sum + residual ** 2 / trials.length, 0),
  };
}

interface Belief {
  /** Of the observation, in standardised scores. */
  readonly mean: number;
  readonly standardDeviation: number;
  /** (observed - expected) / standard deviation, in the member's targets. */
  readonly residual: number;
}

/** Per training point, the member's belief without it. */
function leaveOneOut({ gp, targets }: Member): Belief[] {
  const precisions = leaveOneOutPrecisions(gp);
  return Array.from(gp.weights, (weight, i) => {
    const precision = precisions[i]!;
    const deviation = 1 / Math.sqrt(precision);
    const moments = momentsOf(targets, targets.targets[i]! - weight / precision, deviation);
    return { ...moments, residual: weight * deviation };
  });
}

/** [count] 1 / variance of each target given the others: the diagonal of (K + noise + v 1 1^T)^-1, v the mean's prior variance. */
export function leaveOneOutPrecisions({ factor, data: { count: n } }: GaussianProcess): Float64Array {
  const inverse = new Float64Array(n * n);
  invertLowerTransposed(factor, n, inverse);
  // Row i of L^-T holds column i of L^-1: its squares sum to (K^-1)_ii. The sums of L^-1's rows whiten a vector of ones.
  const diagonal = new Float64Array(n);
  const whitened = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let k = i; k < n; k++) {
      const element = inverse[i * n + k]!;
      diagonal[i]! += element * element;
      whitened[k]! += element;
    }
  }
  const total = whitened.reduce((sum, one) => sum + one * one, 1 / meanPriorVariance);
  return diagonal.map((precision, i) => {
    let ones = 0;
    for (let k = i; k < n; k++) ones += inverse[i * n + k]! * whitened[k]!;
    return precision - (ones * ones) / total;
  });
}

/** The residual in a mixture: the quantile at which the observation lies, from the tail in which it is. */
function mixedResidual(parts: readonly { readonly weight: number; readonly residual: number }[]): number {
  const side = Math.sign(parts.reduce((sum, { weight, residual }) => sum + weight * residual, 0)) || 1;
  const tail = parts.reduce((sum, { weight, residual }) => sum + weight * normalDistribution(-side * residual), 0);
  return -side * normalQuantile(Math.min(Math.max(tail, Number.MIN_VALUE), 1 - 2 ** -53));
}
