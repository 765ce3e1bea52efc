// From raw scores to what a Gaussian process sees: extreme low outliers winsorised, the median made 0 and the best 1,
// then warped or not, then standardised to mean 0 and standard deviation 1; known standard errors carried along.
// Scores are maximised throughout, so that a transform should tell the better half apart whatever the rest is like:
// hence the unit, which the worst scores cannot stretch.

import { yeoJohnson, yeoJohnsonInverse, yeoJohnsonSlope } from "./warp.ts";

/** One completed trial's outcome. */
export interface Score {
  readonly value: number;
  readonly standardError: number | undefined;
}

export interface StandardisedScores {
  /** Score = offset + scale * target. */
  readonly offset: number;
  readonly scale: number;
  readonly targets: Float64Array;
  /** Known noise variances in target units, 0 where unknown. */
  readonly noiseVariances: Float64Array;
  readonly isNoiseKnown: boolean;
}

/** Standardised scores through a power transform, standardised again: the targets of one model. */
export interface WarpedTargets {
  /** Power of the transform; 1 is none. */
  readonly power: number;
  readonly targets: Float64Array;
  readonly noiseVariances: Float64Array;
  /** [count] log d target / d standardised score: their sum makes likelihoods under different powers comparable. */
  readonly logSlopes: Float64Array;
  /** The target of a standardised score; increasing. */
  warp(z: number): number;
  /** The standardised score of a target; increasing. */
  unwarp(target: number): number;
  /** d standardised score / d target > 0 */
  slope(target: number): number;
}

/** More noise than this many target variances makes an observation worthless; the cap keeps the algebra finite. */
const largestNoiseVariance = 1e6;

/** Standardised scores lie this far apart at most. */
const largestRange = 1000;

/** How far below the others a score may lie before it is raised. */
export interface Fence {
  /** In interquartile ranges below the first quartile. */
  readonly ranges: number;
  /** At least one interquartile range below this, in score units. */
  readonly below: number | undefined;
}

/** A score is there to be maximised: how bad the worst points are does not matter. */
export const scoreFence: Fence = { ranges: 5, below: undefined };

/** `scores` are finite and not empty. */
export function standardise(scores: readonly Score[], fence: Fence = scoreFence): StandardisedScores {
  const values = winsoriseLow(
    scores.map((score) => score.value),
    fence,
  );
  // Dividing by the largest magnitude first keeps differences of huge scores finite.
  const magnitude = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  const sorted = values.map((value) => value / magnitude).toSorted((a, b) => a - b);
  const [worst, middle, best] = [sorted[0]!, sorted[sorted.length >>> 1]!, sorted.at(-1)!];
  const spread = Math.max(best - middle, (best - worst) / largestRange);
  const offset = middle * magnitude;
  // Scores that differ only by rounding are constant; any unit will do then.
  const scale = spread > 1e-12 ? spread * magnitude : magnitude;
  return {
    offset,
    scale,
    targets: Float64Array.from(values, (value) => (spread > 1e-12 ? (value / magnitude - middle) / spread : 0)),
    noiseVariances: Float64Array.from(scores, ({ standardError = 0 }) =>
      Math.min(largestNoiseVariance, (standardError / scale) ** 2),
    ),
    isNoiseKnown: scores.every((score) => score.standardError !== undefined),
  };
}

/** Raises values below the fence to it: how bad the worst points are must not drown the others. */
export function winsoriseLow(values: readonly number[], { ranges, below }: Fence = scoreFence): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (fraction: number): number => sorted[Math.floor(fraction * (sorted.length - 1))]!;
  const spread = at(0.75) - at(0.25) || at(1) - at(0.25);
  if (spread === 0) return [...values];
  const fence = Math.min(at(0.25) - ranges * spread, (below ?? at(0.25)) - spread);
  return values.map((value) => Math.max(value, fence));
}

/** Noise is carried through the transform by its slope at each score. */
export function warpTargets(scores: StandardisedScores, power: number): WarpedTargets {
  const warped = scores.targets.map((z) => yeoJohnson(z, power));
  const centre = warped.reduce((sum, t) => sum + t, 0) / warped.length;
  const spread = Math.sqrt(warped.reduce((sum, t) => sum + (t - centre) ** 2, 0) / warped.length) || 1;
  const slopes = scores.targets.map((z) => yeoJohnsonSlope(z, power) / spread);
  // Far outside of what was seen the inverse grows without sense (to 1e200 and more); a warped model believes in no
  // score that is further out than the seen ones are apart.
  const [lowest, highest] = [Math.min(...scores.targets), Math.max(...scores.targets)];
  const unwarp = (target: number): number => {
    const z = yeoJohnsonInverse(centre + spread * target, power);
    return power === 1 ? z : Math.min(2 * highest - lowest, Math.max(2 * lowest - highest, z));
  };
  return {
    power,
    targets: warped.map((t) => (t - centre) / spread),
    noiseVariances: scores.noiseVariances.map((v, i) => Math.min(largestNoiseVariance, v * slopes[i]! ** 2)),
    logSlopes: slopes.map(Math.log),
    warp: (z) => (yeoJohnson(z, power) - centre) / spread,
    unwarp,
    slope: (target) => spread / yeoJohnsonSlope(unwarp(target), power),
  };
}
