// Reads what a statistics kernel left in its parameter block, and writes what a search needs there.
import type { ReductionKind } from "../expr.ts";
import { DIGITS } from "../statistics/stage.ts";
import type { Search } from "../types.ts";
import type { MemoryViews } from "./caller.ts";
import { BINS, HISTOGRAM_BYTES, histogramOffset, searchOffset } from "./digits.ts";
import { REDUCTION_BYTES } from "./reduce.ts";

/** Folds the lanes of one reduction, in a fixed order. */
export function readReduction(views: MemoryViews, extra: number, index: number, kind: ReductionKind): number {
  const at = extra + REDUCTION_BYTES * index;
  const { doubles, floats, ints } = views;
  switch (kind) {
    case "count":
      return ints[at >> 2]! + ints[(at >> 2) + 1]! + ints[(at >> 2) + 2]! + ints[(at >> 2) + 3]!;
    case "minimum":
    case "maximum": {
      const fold = kind === "minimum" ? Math.min : Math.max;
      // + 0: which of the two zeros was met first depends on the lanes.
      return fold(...floats.subarray(at >> 2, (at >> 2) + 4)) + 0;
    }
    default:
      return doubles[at >> 3]! + doubles[(at >> 3) + 1]! + (doubles[(at >> 3) + 2]! + doubles[(at >> 3) + 3]!);
  }
}

/** Tells the digits kernel what to count, and clears its histograms. */
export function writeSearches(views: MemoryViews, extra: number, digit: 0 | 1 | 2, searches: readonly Search[]): void {
  const { shift, mask, known } = DIGITS[digit]!;
  views.words[extra >> 2] = shift;
  views.words[(extra >> 2) + 1] = mask;
  searches.forEach((search, i) => {
    const at = (extra + searchOffset(i)) >> 2;
    const counts = search.phase === "digits";
    // Nothing masked by 0 equals 1: a search that is over counts nothing.
    views.words[at] = counts ? known : 0;
    views.words[at + 1] = counts ? search.key : 1;
  });
  const from = (extra + histogramOffset(0, searches.length)) >> 2;
  views.words.fill(0, from, from + (searches.length * HISTOGRAM_BYTES) / 4);
}

/** The histogram of one search. */
export function readHistogram(views: MemoryViews, extra: number, search: number, searches: number): Float64Array {
  const counts = new Float64Array(BINS);
  const { words } = views;
  let at = (extra + histogramOffset(search, searches)) >> 2;
  for (let bin = 0; bin < BINS; bin++, at += 4)
    counts[bin] = words[at]! + words[at + 1]! + words[at + 2]! + words[at + 3]!;
  return counts;
}
