// The covariance matrix adaptation evolution strategy as a pure state machine on unit coordinates: Hansen, "The CMA
// evolution strategy: a tutorial" (arXiv 1604.00772), its default parameters, negative weights included. Two things
// differ. The step-size path is whitened by the Cholesky factor of C rather than by its symmetric root (Krause, Arbones
// and Igel, NIPS 2016), which costs d^3 / 3 and no eigenvectors. And the box is closed by reflection: the strategy lives
// in all of R^d and its points are folded into the cube, so an optimum on a face is one like any other.

import { choleskyWithJitter } from "../numerics/linalg.ts";
import { normalQuantile } from "../numerics/normal.ts";
import type { RandomStream } from "../numerics/rng.ts";
import { solveLower } from "../numerics/substitution.ts";

/** Never changed: an update makes a new one. */
export interface CmaState {
  /** [d] centre of the distribution, anywhere in R^d: see foldIntoCube. */
  readonly mean: Float64Array;
  /** Step size: points are mean + sigma N(0, C). */
  readonly sigma: number;
  /** C [d, d] and its lower Cholesky factor. */
  readonly covariance: Float64Array;
  readonly factor: Float64Array;
  /** [d] evolution paths of the step size (whitened) and of the covariance. */
  readonly sigmaPath: Float64Array;
  readonly covariancePath: Float64Array;
  /** Updates so far. */
  readonly generation: number;
  /** [d] width of the bins of each coordinate, 0 where it is continuous. */
  readonly steps: ArrayLike<number>;
}

export interface CmaStart {
  /** [d] */
  readonly mean: ArrayLike<number>;
  readonly sigma: number;
  /** [d] width of the bins of each coordinate, 0 where it is continuous: as Space.steps. */
  readonly steps: ArrayLike<number>;
}

/** A point of an update. Foreign points were not drawn from the state that is updated. */
export interface RankedPoint {
  /** [d] as drawn, in R^d; of a foreign point its unit coordinates will do. */
  readonly point: ArrayLike<number>;
  readonly isForeign?: boolean;
}

/** A sixth of the unit interval: three standard deviations from the centre to the faces. */
export const defaultSigma: number = 1 / 6;

/** lambda, the points of a generation, for d dimensions. */
export const defaultPopulation = (dimension: number): number => 4 + Math.floor(3 * Math.log(dimension));

export function startCma({ mean, sigma, steps }: CmaStart): CmaState {
  const d = mean.length;
  const identity = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
  return {
    mean: Float64Array.from(mean),
    sigma,
    covariance: identity,
    factor: identity,
    sigmaPath: new Float64Array(d),
    covariancePath: new Float64Array(d),
    generation: 0,
    steps,
  };
}

/** A draw [d] from the state's distribution, anywhere in R^d. */
export function drawCma({ mean, sigma, factor }: CmaState, stream: RandomStream): Float64Array {
  const normals = Float64Array.from(mean, () => stream.normal());
  return mean.map((centre, i) => {
    let step = 0;
    for (let j = 0; j <= i; j++) step += factor[i * mean.length + j]! * normals[j]!;
    return centre + sigma * step;
  });
}

/** The point of the cube that a point of R^d stands for: every coordinate reflected at 0 and 1 as often as needed. */
export function foldIntoCube(point: ArrayLike<number>): Float64Array {
  return Float64Array.from(point, (x) => {
    const folded = Math.abs(x) % 2;
    return folded > 1 ? 2 - folded : folded;
  });
}

/** The largest standard deviation of a draw among the continuous coordinates, 0 without any. */
export function spreadOf({ sigma, covariance, steps }: CmaState): number {
  const d = steps.length;
  let largest = 0;
  for (let k = 0; k < d; k++) if (steps[k] === 0) largest = Math.max(largest, covariance[k * d + k]!);
  return sigma * Math.sqrt(largest);
}

/** The next state from at least two points, best first. More points than a population are a larger population. */
export function updateCma(state: CmaState, ranked: readonly RankedPoint[]): CmaState {
  const { mean, sigma, factor, covariance } = state;
  const d = mean.length;
  const p = parametersOf(d, ranked.length);
  const moves = ranked.map((one) => moveOf(state, one));

  const step = new Float64Array(d);
  for (const [i, { y }] of moves.entries()) {
    if (p.weights[i]! > 0) for (let k = 0; k < d; k++) step[k]! += p.weights[i]! * y[k]!;
  }
  const white = step.slice();
  solveLower(factor, d, white);
  const stepGain = Math.sqrt(p.sigmaRate * (2 - p.sigmaRate) * p.effective);
  const sigmaPath = state.sigmaPath.map((path, k) => (1 - p.sigmaRate) * path + stepGain * white[k]!);
  const pathLength = norm(sigmaPath);
  const expectedLength = Math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
  const generation = state.generation + 1;
  // A path longer than chance would have it: sigma is behind, and C must not grow in its place.
  const isStalled =
    pathLength / Math.sqrt(1 - (1 - p.sigmaRate) ** (2 * generation)) >= (1.4 + 2 / (d + 1)) * expectedLength;
  const pathGain = isStalled ? 0 : Math.sqrt(p.pathRate * (2 - p.pathRate) * p.effective);
  const covariancePath = state.covariancePath.map((path, k) => (1 - p.pathRate) * path + pathGain * step[k]!);

  const lost = isStalled ? p.pathRate * (2 - p.pathRate) : 0;
  const kept = 1 + p.rankOneRate * (lost - 1) - p.rankMuRate * p.weights.reduce((sum, weight) => sum + weight, 0);
  const next = covariance.map((element) => kept * element);
  addOuter(next, covariancePath, p.rankOneRate);
  for (const [i, { y, length }] of moves.entries()) {
    const weight = p.weights[i]!;
    // A bad point takes away no more variance than one of average length would: C stays positive definite.
    addOuter(next, y, p.rankMuRate * (weight < 0 ? (weight * d) / Math.max(length * length, 1e-12) : weight));
  }
  const growth = Math.exp(Math.min(1, (p.sigmaRate / p.sigmaDamping) * (pathLength / expectedLength - 1)));
  return settle({
    ...state,
    mean: mean.map((centre, k) => centre + sigma * step[k]!),
    sigma: sigma * growth,
    covariance: next,
    sigmaPath,
    covariancePath,
    generation,
  });
}

/** (x - mean) / sigma and its Mahalanobis length. Foreign points come from the nearest reflection, and not from too far. */
function moveOf(
  { mean, sigma, factor }: CmaState,
  { point, isForeign }: RankedPoint,
): { y: Float64Array; length: number } {
  const d = mean.length;
  const y = mean.map((centre, k) => ((isForeign ? nearestReflection(point[k]!, centre) : point[k]!) - centre) / sigma);
  const white = y.slice();
  solveLower(factor, d, white);
  const length = norm(white);
  // Hansen, "Injecting external solutions into CMA-ES" (arXiv 1110.4181): as long as a draw may well be.
  const longest = Math.sqrt(d) + (2 * d) / (d + 2);
  if (!isForeign || length <= longest) return { y, length };
  return { y: y.map((element) => (element * longest) / length), length: longest };
}

/** The real number that folds to the same as `x` and lies nearest to `centre`. */
function nearestReflection(x: number, centre: number): number {
  const [same, mirrored] = [x + 2 * Math.round((centre - x) / 2), -x + 2 * Math.round((centre + x) / 2)];
  return Math.abs(same - centre) <= Math.abs(mirrored - centre) ? same : mirrored;
}

interface Parameters {
  /** [lambda] recombination weights, best first; the positive ones sum to 1. */
  readonly weights: readonly number[];
  /** mu_eff */
  readonly effective: number;
  readonly sigmaRate: number;
  readonly sigmaDamping: number;
  readonly pathRate: number;
  readonly rankOneRate: number;
  readonly rankMuRate: number;
}

/** Table 1 of the tutorial. */
function parametersOf(d: number, lambda: number): Parameters {
  const raw = Array.from({ length: lambda }, (_, i) => Math.log((lambda + 1) / 2) - Math.log(i + 1));
  const total = (isPositive: boolean, power: number): number =>
    raw.reduce((sum, weight) => (weight > 0 === isPositive ? sum + Math.abs(weight) ** power : sum), 0);
  const effective = total(true, 1) ** 2 / total(true, 2);
  const effectiveNegative = total(false, 1) ** 2 / total(false, 2);
  const rankOneRate = 2 / ((d + 1.3) ** 2 + effective);
  const rankMuRate = Math.min(
    1 - rankOneRate,
    (2 * (0.25 + effective + 1 / effective - 2)) / ((d + 2) ** 2 + effective),
  );
  const negativeSum = Math.min(
    1 + rankOneRate / rankMuRate,
    1 + (2 * effectiveNegative) / (effective + 2),
    (1 - rankOneRate - rankMuRate) / (d * rankMuRate),
  );
  const sigmaRate = (effective + 2) / (d + effective + 5);
  return {
    weights: raw.map((weight) => (weight > 0 ? weight / total(true, 1) : (negativeSum * weight) / total(false, 1))),
    effective,
    sigmaRate,
    sigmaDamping: 1 + 2 * Math.max(0, Math.sqrt((effective - 1) / (d + 1)) - 1) + sigmaRate,
    pathRate: (4 + effective / d) / (d + 4 + (2 * effective) / d),
    rankOneRate,
    rankMuRate,
  };
}

/**
 * Factors C, after two bounds on the standard deviations: none above 1, where folding has made the draws uniform, and
 * none of a coordinate with bins so small that its bin is never left (Hamano et al., "CMA-ES with margin", GECCO 2022:
 * probability at least 1 / (lambda d) from the middle of a bin).
 */
function settle(state: Omit<CmaState, "factor">): CmaState {
  const { covariance, steps, mean } = state;
  const d = mean.length;
  let largest = 0;
  for (let k = 0; k < d; k++) largest = Math.max(largest, covariance[k * d + k]!);
  const sigma = Math.min(state.sigma, 1 / Math.sqrt(largest));
  const quantile = normalQuantile(1 - 0.5 / (defaultPopulation(d) * d));
  for (let k = 0; k < d; k++) {
    const ratio = (0.5 * steps[k]!) / (quantile * sigma * Math.sqrt(covariance[k * d + k]!));
    if (!(ratio > 1)) continue;
    for (let j = 0; j < d; j++) {
      covariance[k * d + j]! *= ratio;
      covariance[j * d + k]! *= ratio;
    }
  }
  return { ...state, sigma, covariance, factor: choleskyWithJitter(d, largest, (a) => a.set(covariance)).factor };
}

/** C += weight y y^T */
function addOuter(c: Float64Array, y: Float64Array, weight: number): void {
  const d = y.length;
  for (let i = 0; i < d; i++) {
    const scaled = weight * y[i]!;
    for (let j = 0; j < d; j++) c[i * d + j]! += scaled * y[j]!;
  }
}

function norm(v: Float64Array): number {
  let sum = 0;
  for (const element of v) sum += element * element;
  return Math.sqrt(sum);
}
