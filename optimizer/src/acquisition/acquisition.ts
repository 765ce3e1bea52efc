// Log noisy expected improvement, conditioned on what is in flight: the mean over joint samples at the base points of
// the analytic expected improvement over that sample's best (Letham et al. 2019; log form of Ament et al. 2023; given
// the sample, the improvement at x is integrated exactly, which needs far fewer samples than sampling x too).
// Without noise and pending trials it is exactly log EI.

import { covariances, squaredDistance } from "../model/gp.ts";
import { solveLower, solveLowerTransposed } from "../numerics/linalg.ts";
import type { Fantasies } from "./fantasies.ts";
import { logImprovement } from "./log-improvement.ts";

export interface Acquisition {
  /** Log noisy EI at x [d] in units of the standardised targets; larger is better. */
  value(x: Float64Array): number;
  /** The same, and its gradient [d] into `gradient`. */
  valueAndGradient(x: Float64Array, gradient: Float64Array): number;
}

/** Relative floor of the conditional variance: keeps the improvement defined at points already known. */
const varianceFloor = 1e-12;

export function createLogNoisyImprovement(fantasies: Fantasies): Acquisition {
  const { gp, baseCount, sampleCount, points, factor, normals } = fantasies;
  const { dimension: d, count: n } = gp.data;
  const total = n + baseCount;
  const bests = bestPerSample(fantasies);
  const v = new Float64Array(total);
  const logValues = new Float64Array(sampleCount);
  const byMean = new Float64Array(sampleCount);
  const byDeviation = new Float64Array(sampleCount);
  const ratios = new Float64Array(2);
  const adjoint = new Float64Array(total);
  let deviation = 0;

  /** Fills v, deviation and logValues (and the per-sample derivatives when asked); returns the log-mean-exp. */
  const evaluate = (x: Float64Array, withDerivatives: boolean): number => {
    covariances(gp, x, points, total, v);
    solveLower(factor, total, v);
    let mean = gp.mean;
    let variance = gp.signalVariance;
    for (let i = 0; i < n; i++) mean += v[i]! * gp.whitened[i]!;
    for (let i = 0; i < total; i++) variance -= v[i]! * v[i]!;
    deviation = Math.sqrt(Math.max(variance, varianceFloor * gp.signalVariance));
    const logDeviation = Math.log(deviation);
    let largest = Number.NEGATIVE_INFINITY;
    for (let m = 0; m < sampleCount; m++) {
      let sampleMean = mean;
      for (let b = 0; b < baseCount; b++) sampleMean += v[n + b]! * normals[m * baseCount + b]!;
      const u = (sampleMean - bests[m]!) / deviation;
      const logValue = logImprovement(u, withDerivatives ? ratios : undefined) + logDeviation;
      logValues[m] = logValue;
      if (withDerivatives) {
        byMean[m] = ratios[0]! / deviation;
        byDeviation[m] = ratios[1]! / deviation;
      }
      if (logValue > largest) largest = logValue;
    }
    let sum = 0;
    for (let m = 0; m < sampleCount; m++) sum += Math.exp(logValues[m]! - largest);
    return largest + Math.log(sum / sampleCount);
  };

  return {
    value: (x) => evaluate(x, false),
    valueAndGradient(x, gradient) {
      const value = evaluate(x, true);
      // One adjoint pass: a = d value / d v, then d value / d k = L^-T a, then the chain through each covariance.
      adjoint.fill(0);
      let meanWeight = 0;
      let deviationWeight = 0;
      for (let m = 0; m < sampleCount; m++) {
        const weight = Math.exp(logValues[m]! - value) / sampleCount;
        const share = weight * byMean[m]!;
        meanWeight += share;
        deviationWeight += weight * byDeviation[m]!;
        for (let b = 0; b < baseCount; b++) adjoint[n + b]! += share * normals[m * baseCount + b]!;
      }
      const shrink = deviationWeight / deviation;
      for (let i = 0; i < n; i++) adjoint[i] = meanWeight * gp.whitened[i]!;
      for (let i = 0; i < total; i++) adjoint[i]! -= shrink * v[i]!;
      solveLowerTransposed(factor, total, adjoint);
      gradient.fill(0);
      for (let i = 0; i < total; i++) {
        const r2 = squaredDistance(x, 0, points, i * d, gp.inverseSquaredLengths);
        const slope = 2 * adjoint[i]! * gp.signalVariance * gp.kernel.derivative(r2);
        for (let k = 0; k < d; k++) {
          gradient[k]! += slope * (x[k]! - points[i * d + k]!) * gp.inverseSquaredLengths[k]!;
        }
      }
      return value;
    },
  };
}

function bestPerSample({ baseCount, sampleCount, values }: Fantasies): Float64Array {
  return Float64Array.from({ length: sampleCount }, (_, m) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let b = 0; b < baseCount; b++) best = Math.max(best, values[m * baseCount + b]!);
    return best;
  });
}
