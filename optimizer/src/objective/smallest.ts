// The smallest of independent normal numbers: C. E. Clark, "The greatest of a finite set of random variables",
// Operations Research 9(2), 1961. Exact for two, folded pair by pair for more (the smallest so far is taken as normal).

import { normalDensity, normalDistribution } from "../numerics/normal.ts";

/** Mean and standard deviation of the smallest; both lists [count], at least one, deviations >= 0. */
export function smallestOfNormals(
  means: readonly number[],
  standardDeviations: readonly number[],
): { readonly mean: number; readonly standardDeviation: number } {
  let mean = means[0]!;
  let variance = standardDeviations[0]! ** 2;
  for (let k = 1; k < means.length; k++) {
    const otherMean = means[k]!;
    const otherVariance = standardDeviations[k]! ** 2;
    const spread = Math.sqrt(variance + otherVariance);
    if (spread === 0) {
      mean = Math.min(mean, otherMean);
      continue;
    }
    const gap = (otherMean - mean) / spread;
    const [first, second, density] = [normalDistribution(gap), normalDistribution(-gap), normalDensity(gap)];
    const smaller = first * mean + second * otherMean - spread * density;
    // Second moment about the new mean, so that large means do not cancel.
    variance =
      first * (variance + (mean - smaller) ** 2) +
      second * (otherVariance + (otherMean - smaller) ** 2) -
      spread * density * (mean + otherMean - 2 * smaller);
    mean = smaller;
  }
  return { mean, standardDeviation: Math.sqrt(Math.max(variance, 0)) };
}
