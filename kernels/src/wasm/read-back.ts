// Reads what a statistics kernel left in its parameter block, and writes what a search needs there.
import type { ReductionKind } from "../expr.ts";
import { shiftOf } from "../statistics/search.ts";
import type { Histogram, Search } from "../types.ts";
import type { MemoryViews } from "./caller.ts";
import { aboveOffset, BINS, histogramOffset, histogramsBytes, insideOffset, intervalOffset } from "./histogram.ts";
import { REDUCTION_BYTES } from "./reduce.ts";

/** Folds the lanes of one reduction, in a fixed order. */
export function readReduction(views: MemoryViews, extra: number, index: number, kind: ReductionKind): number {
  const at = extra + REDUCTION_BYTES * index;
  const { doubles, floats, ints } = views;
  switch (kind) {
    case "count":
      return ints[at >>> 2]! + ints[(at >>> 2) + 1]! + ints[(at >>> 2) + 2]! + ints[(at >>> 2) + 3]!;
    case "minimum":
    case "maximum": {
      const fold = kind === "minimum" ? Math.min : Math.max;
      // + 0: which of the two zeros was met first depends on the lanes.
      return fold(...floats.subarray(at >>> 2, (at >>> 2) + 4)) + 0;
    }
    default:
      return doubles[at >>> 3]! + doubles[(at >>> 3) + 1]! + (doubles[(at >>> 3) + 2]! + doubles[(at >>> 3) + 3]!);
  }
}

/** Tells the histogram kernel what to count, and clears its counters. */
export function writeSearches(views: MemoryViews, extra: number, searches: readonly Search[]): void {
  searches.forEach((search, i) => {
    const { low, high } = search;
    views.words.set([low, high - low, high, shiftOf(search)], (extra + intervalOffset(i)) >>> 2);
  });
  const from = (extra + aboveOffset(0, searches.length)) >>> 2;
  views.words.fill(0, from, (extra + histogramsBytes(searches.length)) >>> 2);
}

/** The counts of one search; `one` when its interval is a single value. */
export function readHistogram(
  views: MemoryViews,
  extra: number,
  search: number,
  searches: number,
  one: boolean,
): Histogram {
  const { words } = views;
  const four = (at: number): number => words[at]! + words[at + 1]! + words[at + 2]! + words[at + 3]!;
  const from = (extra + histogramOffset(search, searches)) >>> 2;
  const counts = new Float64Array(BINS);
  for (let bin = 0; bin < BINS; bin++) counts[bin] = four(from + 4 * bin);
  if (one) counts[0] = four((extra + insideOffset(search, searches)) >>> 2);
  return { above: four((extra + aboveOffset(search, searches)) >>> 2), counts };
}
