// The expected volume that a point with independent normal objectives adds to a front: the sum over the boxes of the
// non-dominated region of products, over the objectives, of the expected length of the box's side that the objective
// reaches. Boxes share sides and sides share ends, so each is worked out once. Everything is relative to the density at
// the reference, which takes one exponential for each end; where all boxes underflow, logarithms take over.

import { logSqrtTwoPi, millsRatio } from "../numerics/normal.ts";
import type { BoxDecomposition } from "../objective/boxes.ts";
import { improvementShare, logImprovement } from "./log-improvement.ts";
import { type IntervalEnd, logReached } from "./log-interval.ts";

export interface VolumeAdded {
  /** From the moments [objectives] of a point; fills the derivatives when they are wanted. */
  logExpected(means: Float64Array, deviations: Float64Array, withDerivatives: boolean): number;
  /** [objectives] derivatives of the logarithm by the moments. */
  readonly byMean: Float64Array;
  readonly byDeviation: Float64Array;
}

/** Sums of products below this may have lost terms that matter. */
const leastSum = 1e-250;

export function createVolumeAdded(decomposition: BoxDecomposition): VolumeAdded {
  const { objectives, boxes } = decomposition;
  const all = Array.from({ length: objectives }, (_, j) => sidesAlong(j, decomposition));
  const products = new Float64Array(boxes);
  const byMean = new Float64Array(objectives);
  const byDeviation = new Float64Array(objectives);

  const differentiate = (weights: (j: number, b: number) => number, sum: number, deviations: Float64Array): void => {
    for (const [j, side] of all.entries()) {
      let [mean, deviation] = [0, 0];
      for (let b = 0; b < boxes; b++) {
        const weight = weights(j, b);
        mean += weight * side.byMean[side.ofBox[b]!]!;
        deviation += weight * side.byDeviation[side.ofBox[b]!]!;
      }
      byMean[j] = mean / (sum * deviations[j]!);
      byDeviation[j] = deviation / (sum * deviations[j]!);
    }
  };

  /** The product of the lengths of a box's other sides. */
  const others = (j: number, b: number): number => {
    let product = 1;
    for (let i = 0; i < objectives; i++) if (i !== j) product *= all[i]!.lengths[all[i]!.ofBox[b]!]!;
    return product;
  };

  const logExpected: VolumeAdded["logExpected"] = (means, deviations, withDerivatives) => {
    let logUnit = 0;
    products.fill(1);
    for (let j = 0; j < objectives; j++) {
      logUnit += Math.log(deviations[j]!) + measure(all[j]!, means[j]!, deviations[j]!);
      const { lengths, ofBox } = all[j]!;
      for (let b = 0; b < boxes; b++) products[b]! *= lengths[ofBox[b]!]!;
    }
    let sum = 0;
    for (let b = 0; b < boxes; b++) sum += products[b]!;
    if (!(sum > leastSum)) return logExpectedDeep(means, deviations, withDerivatives);
    if (withDerivatives) differentiate(others, sum, deviations);
    return Math.log(sum) + logUnit;
  };

  const logExpectedDeep: VolumeAdded["logExpected"] = (means, deviations, withDerivatives) => {
    let logUnit = 0;
    products.fill(0);
    for (let j = 0; j < objectives; j++) {
      logUnit += Math.log(deviations[j]!);
      measureDeep(all[j]!, means[j]!, deviations[j]!);
      const { lengths, ofBox } = all[j]!;
      for (let b = 0; b < boxes; b++) products[b]! += lengths[ofBox[b]!]!;
    }
    const largest = products.reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (let b = 0; b < boxes; b++) sum += products[b] = Math.exp(products[b]! - largest);
    if (withDerivatives) differentiate((_, b) => products[b]!, sum, deviations);
    return largest + Math.log(sum) + logUnit;
  };

  return { logExpected, byMean, byDeviation };
}

/** The sides of the boxes along one objective. */
interface Sides {
  /** Where sides begin and end, ascending; the last one is infinite. */
  readonly boundaries: Float64Array;
  /** [sides] positions of their ends in `boundaries`. */
  readonly low: Uint16Array;
  readonly high: Uint16Array;
  /** [boxes] which side is theirs. */
  readonly ofBox: Uint16Array;
  /** [boundaries] (mean - boundary) / deviation, and phi, Phi and h = phi + u Phi there, in the unit of `measure`. */
  readonly us: Float64Array;
  readonly densities: Float64Array;
  readonly distributions: Float64Array;
  readonly improvements: Float64Array;
  /**
   * [sides] expected lengths in deviations, and the deviation times their derivatives by the moments; after
   * `measureDeep` the logarithm and the derivatives of it.
   */
  readonly lengths: Float64Array;
  readonly byMean: Float64Array;
  readonly byDeviation: Float64Array;
}

function sidesAlong(j: number, { objectives, boxes, boundaries, lower, upper }: BoxDecomposition): Sides {
  const own = boundaries[j]!;
  const numbers = new Map<number, number>();
  const ofBox = Uint16Array.from({ length: boxes }, (_, b) => {
    const side = lower[b * objectives + j]! * own.length + upper[b * objectives + j]!;
    if (!numbers.has(side)) numbers.set(side, numbers.size);
    return numbers.get(side)!;
  });
  const sides = [...numbers.keys()];
  const perBoundary = (): Float64Array => new Float64Array(own.length);
  const perSide = (): Float64Array => new Float64Array(sides.length);
  return {
    boundaries: own,
    low: Uint16Array.from(sides, (side) => Math.floor(side / own.length)),
    high: Uint16Array.from(sides, (side) => side % own.length),
    ofBox,
    us: perBoundary(),
    densities: perBoundary(),
    distributions: perBoundary(),
    improvements: perBoundary(),
    lengths: perSide(),
    byMean: perSide(),
    byDeviation: perSide(),
  };
}

const sqrtTwoPi = Math.sqrt(2 * Math.PI);
/** So many deviations above a boundary the normal is above it but for rounding. */
const certain = 8.5;
/** Narrower sides have ends that arithmetic cannot tell apart. */
const narrow = 1e-5;

/** Measures the sides for a normal with these moments; returns the logarithm of the unit of all that is written. */
function measure(sides: Sides, mean: number, deviation: number): number {
  const { boundaries, low, high, us, densities, distributions, improvements, lengths, byMean, byDeviation } = sides;
  // Densities relative to that at the reference, whose u is the largest, or at 0.
  const top = Math.min(0, (mean - boundaries[0]!) / deviation);
  for (let k = 0; k < boundaries.length - 1; k++) {
    const u = (mean - boundaries[k]!) / deviation;
    us[k] = u;
    if (u > certain) {
      densities[k] = 0;
      distributions[k] = sqrtTwoPi;
      improvements[k] = sqrtTwoPi * u;
      continue;
    }
    const density = Math.exp(0.5 * (top - u) * (top + u));
    const mills = millsRatio(-Math.abs(u));
    const distribution = u < 0 ? density * mills : sqrtTwoPi - density * mills;
    densities[k] = density;
    distributions[k] = distribution;
    improvements[k] = u > -1 ? density + u * distribution : density * improvementShare(u, mills);
  }
  us[boundaries.length - 1] = Number.NEGATIVE_INFINITY;
  for (let side = 0; side < low.length; side++) {
    const [a, b] = [low[side]!, high[side]!];
    const width = us[a]! - us[b]!;
    lengths[side] =
      width * Math.max(1, -us[a]!) < narrow
        ? 0.5 * width * (distributions[a]! + distributions[b]!)
        : improvements[a]! - improvements[b]!;
    byMean[side] = distributions[a]! - distributions[b]!;
    byDeviation[side] = densities[a]! - densities[b]!;
  }
  return -0.5 * top * top - logSqrtTwoPi;
}

const ratios = new Float64Array(2);

/** The same in logarithms. */
function measureDeep({ boundaries, low, high, lengths, byMean, byDeviation }: Sides, mean: number, deviation: number) {
  const ends = Array.from(boundaries, (boundary): IntervalEnd => {
    const u = (mean - boundary) / deviation;
    if (u === Number.NEGATIVE_INFINITY) return { u, logValue: u, distributionRatio: 0, densityRatio: 0 };
    const logValue = logImprovement(u, ratios);
    return { u, logValue, distributionRatio: ratios[0]!, densityRatio: ratios[1]! };
  });
  for (let side = 0; side < low.length; side++) {
    lengths[side] = logReached(ends[low[side]!]!, ends[high[side]!]!, ratios);
    byMean[side] = ratios[0]!;
    byDeviation[side] = ratios[1]!;
  }
}
