// Reads what a statistics kernel left in its parameter block, and writes what a search needs there.
import type { ReductionKind } from "../expr.ts";
import { valueOfKey } from "../statistics/key.ts";
import { shiftOf } from "../statistics/search.ts";
import type { Histogram, Search } from "../types.ts";
import type { MemoryViews } from "./caller.ts";
import { BINS, MOST_STORED, SEARCH, SEARCH_BYTES } from "./histogram.ts";
import { lanesOffset } from "./reduce.ts";

/** Values in the interval of a search, with their indexes. */
export interface Stored {
  readonly keys: number[];
  readonly indexes: number[];
}

/** Folds the lanes of one reduction, in a fixed order. */
export function readReduction(
  views: MemoryViews,
  results: number,
  reduction: number,
  part: 0 | 1,
  kind: ReductionKind,
): number {
  const at = results + lanesOffset(reduction, part);
  const { doubles, floats } = views;
  switch (kind) {
    case "count":
      return sumOfLanes(views, at);
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
  const { floats, words } = views;
  searches.forEach((search, i) => {
    const at = (extra + SEARCH_BYTES * i) >>> 2;
    words.fill(0, at, at + (SEARCH.values >>> 2));
    words[at + (SEARCH.lowKey >>> 2)] = search.low;
    words[at + (SEARCH.shift >>> 2)] = shiftOf(search);
    floats[at + (SEARCH.low >>> 2)] = valueOfKey(search.low);
    floats[at + (SEARCH.high >>> 2)] = valueOfKey(search.high);
    words[at + (SEARCH.divided >>> 2)] = search.low === search.high ? 0 : 0xffffffff;
  });
}

/** How many values were in the interval of a search since it was written. */
export const readInside = (views: MemoryViews, extra: number, search: number): number =>
  sumOfLanes(views, extra + SEARCH_BYTES * search + SEARCH.inside);

/** The counts of a search since it was written, over that many elements. */
export function readCounts(
  views: MemoryViews,
  extra: number,
  search: number,
  elements: number,
): Pick<Histogram, "above" | "counts"> {
  const { words } = views;
  const at = extra + SEARCH_BYTES * search;
  const above = elements - sumOfLanes(views, at + SEARCH.notAbove);
  const counts = new Float64Array(BINS);
  if (words[(at + SEARCH.divided) >>> 2] === 0) {
    counts[0] = readInside(views, extra, search);
    return { above, counts };
  }
  const bins = (at + SEARCH.bins) >>> 2;
  for (let bin = 0; bin < BINS; bin++) {
    const four = bins + 4 * bin;
    counts[bin] = words[four]! + words[four + 1]! + words[four + 2]! + words[four + 3]!;
  }
  return { above, counts };
}

/** Has the search list values in the next call, or not. */
export function startStoring(views: MemoryViews, extra: number, search: number, wanted: boolean): void {
  views.words[(extra + SEARCH_BYTES * search + SEARCH.stored) >>> 2] = wanted ? 0 : MOST_STORED;
}

/** Adds what a search stored in the last call, which began at that index; false when it could not store all. */
export function readStored(views: MemoryViews, extra: number, search: number, index: number, into: Stored): boolean {
  const { words } = views;
  const at = (extra + SEARCH_BYTES * search) >>> 2;
  const stored = words[at + (SEARCH.stored >>> 2)]!;
  if (stored === MOST_STORED) return false;
  const from = at + (SEARCH.values >>> 2);
  for (let value = from; value < from + 2 * stored; value += 2) {
    into.keys.push(words[value]!);
    // The kernel knows the lower half of the index only.
    into.indexes.push(index + ((words[value + 1]! - index) >>> 0));
  }
  return true;
}

const sumOfLanes = ({ ints }: MemoryViews, at: number): number =>
  ints[at >>> 2]! + ints[(at >>> 2) + 1]! + ints[(at >>> 2) + 2]! + ints[(at >>> 2) + 3]!;
