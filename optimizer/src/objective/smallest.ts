// The smallest of independent normal numbers: C. E. Clark, "The greatest of a finite set of random variables",
// Operations Research 9(2), 1961. Exact for two, folded pair by pair for more (the smallest so far is taken as normal).

import { normalDensity, normalDistribution } from "../numerics/normal.ts";

export interface Smallest {
  /** Moments of the smallest of normals with these moments [count], count >= 1, deviations >= 0. */
  fold(means: ArrayLike<number>, standardDeviations: ArrayLike<number>): void;
  readonly mean: number;
  readonly standardDeviation: number;
  /**
   * Once folded: adds the derivatives of a function of the smallest, whose own are given, by all means and deviations
   * [count].
   */
  addDerivatives(byMean: number, byDeviation: number, byMeans: Float64Array, byDeviations: Float64Array): void;
}

/** Deviations below this are none. */
const leastSpread = 1e-150;

export function createSmallest(count: number): Smallest {
  // Of the smallest of the first k: moments, and the derivatives of the next fold by what it folds.
  const [means, deviations] = [new Float64Array(count), new Float64Array(count)];
  const [first, second, cross] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  const [ownMeans, ownDeviations] = [new Float64Array(count), new Float64Array(count)];
  const at = count - 1;

  return {
    get mean() {
      return means[at]!;
    },
    get standardDeviation() {
      return deviations[at]!;
    },
    fold(givenMeans, givenDeviations) {
      for (let k = 0; k < count; k++) {
        ownMeans[k] = givenMeans[k]!;
        ownDeviations[k] = givenDeviations[k]!;
      }
      means[0] = ownMeans[0]!;
      deviations[0] = ownDeviations[0]!;
      for (let k = 1; k < count; k++) {
        const [mean, deviation, other, otherDeviation] = [
          means[k - 1]!,
          deviations[k - 1]!,
          ownMeans[k]!,
          ownDeviations[k]!,
        ];
        const spread = Math.sqrt(deviation ** 2 + otherDeviation ** 2);
        if (spread < leastSpread) {
          first[k] = mean <= other ? 1 : 0;
          second[k] = 1 - first[k]!;
          cross[k] = 0;
          means[k] = Math.min(mean, other);
          deviations[k] = 0;
          continue;
        }
        const gap = (other - mean) / spread;
        first[k] = normalDistribution(gap);
        second[k] = normalDistribution(-gap);
        cross[k] = normalDensity(gap) / spread;
        const smallest = first[k]! * mean + second[k]! * other - spread ** 2 * cross[k]!;
        // Second moment about the new mean, so that large means do not cancel.
        const variance =
          first[k]! * (deviation ** 2 + (mean - smallest) ** 2) +
          second[k]! * (otherDeviation ** 2 + (other - smallest) ** 2) -
          spread ** 2 * cross[k]! * (mean + other - 2 * smallest);
        means[k] = smallest;
        deviations[k] = Math.sqrt(Math.max(variance, 0));
      }
    },
    addDerivatives(byMean, byDeviation, byMeans, byDeviations) {
      let [ofMean, ofDeviation] = [byMean, byDeviation];
      for (let k = count - 1; k > 0; k--) {
        const [deviation, otherDeviation] = [deviations[k - 1]!, ownDeviations[k]!];
        // About the smallest's mean: E min = 0 and the variance is the second moment.
        const [mean, other] = [means[k - 1]! - means[k]!, ownMeans[k]! - means[k]!];
        const ofVariance = deviations[k]! > 0 ? ofDeviation / (2 * deviations[k]!) : 0;
        const total = deviation ** 2 + otherDeviation ** 2;
        const tie = total > 0 ? (mean * otherDeviation ** 2 + other * deviation ** 2) / total : 0;
        byMeans[k]! += ofMean * second[k]! + 2 * ofVariance * (other * second[k]! - otherDeviation ** 2 * cross[k]!);
        byDeviations[k]! +=
          2 * otherDeviation * (ofVariance * (second[k]! - tie * cross[k]!) - 0.5 * ofMean * cross[k]!);
        const nextMean = ofMean * first[k]! + 2 * ofVariance * (mean * first[k]! - deviation ** 2 * cross[k]!);
        ofDeviation = 2 * deviation * (ofVariance * (first[k]! - tie * cross[k]!) - 0.5 * ofMean * cross[k]!);
        ofMean = nextMean;
      }
      byMeans[0]! += ofMean;
      byDeviations[0]! += ofDeviation;
    },
  };
}

/** Moments of the smallest of normals with these moments [count]. */
export function smallestOfNormals(
  means: readonly number[],
  standardDeviations: readonly number[],
): { readonly mean: number; readonly standardDeviation: number } {
  const smallest = createSmallest(means.length);
  smallest.fold(means, standardDeviations);
  return { mean: smallest.mean, standardDeviation: smallest.standardDeviation };
}
