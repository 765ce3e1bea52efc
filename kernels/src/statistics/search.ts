// The search for an order statistic, as pure steps over counts: a sample of the elements suggests an
// interval, full passes confirm and divide it until it is one value. The answer is exact and does not
// depend on the sample, which only saves passes.
import type { Histogram, Search, StagePartial } from "../types.ts";
import { MAX_KEY, valueOfKey } from "./key.ts";

const BIN_BITS = 11;
/** Scopes below this are searched without sampling. */
const SAMPLE_FROM_ELEMENTS = 1 << 19;
/** How many elements from the start of each block a sampling pass reads. */
export const SAMPLE_ELEMENTS = 4096;
export const sampleRoundsFor = (elements: number): number => (elements < SAMPLE_FROM_ELEMENTS ? 0 : 3);

/** How far a key's distance from `low` is shifted to give its bin. */
export const shiftOf = ({ low, high }: Search): number => Math.max(0, 32 - Math.clz32(high - low) - BIN_BITS);

export function startSearch(rank: number, elements: number): Search {
  const start = { low: 0, high: MAX_KEY, rank, start: 0, threshold: Number.NaN, cutoff: Number.NaN };
  if (rank < 1) return { ...start, phase: "done", threshold: Infinity, cutoff: 0 };
  if (rank >= elements) return { ...start, phase: "done", threshold: -Infinity, cutoff: Infinity };
  return { ...start, phase: "search" };
}

/** Narrows the interval to where the sample says the answer should be, with a margin that is rarely too small. */
export function afterSample(search: Search, { above, counts }: Histogram, sampled: number, elements: number): Search {
  if (search.phase !== "search") return search;
  const fraction = search.rank / elements;
  const expected = fraction * sampled;
  const margin = 4 * Math.sqrt(expected * (1 - fraction)) + 16;
  const upper = binAt(counts, Math.floor(expected - margin) - above);
  const lower = binAt(counts, Math.ceil(expected + margin) - above);
  return {
    ...search,
    high: upper.outside === "above" ? search.high : highOf(search, upper.bin),
    low: lower.outside === "below" ? search.low : lowOf(search, lower.bin),
  };
}

/** Narrows the interval to the bin that holds the rank; one value wide, the search for it is over. */
export function afterCount(search: Search, { above, counts }: Histogram, exact: boolean): Search {
  if (search.phase !== "search") return search;
  const { bin, rank, outside } = binAt(counts, search.rank - above);
  if (outside) {
    if (search.low === 0 && search.high === MAX_KEY)
      throw new RangeError("the passes of an order statistic did not cover its whole scope");
    return { ...search, low: 0, high: MAX_KEY };
  }
  const [low, high] = [lowOf(search, bin), highOf(search, bin)];
  if (low < high) return { ...search, low, high };
  const threshold = valueOfKey(low);
  return exact && rank < counts[bin]!
    ? { ...search, phase: "ties", low, high, rank, threshold }
    : { ...search, phase: "done", low, high, rank, threshold, cutoff: Infinity };
}

/** Finds the chunk that holds the last of the equals to be kept. */
export function afterTies(search: Search, chunks: Extract<StagePartial, { kind: "ties" }>["chunks"][number]): Search {
  if (search.phase !== "ties") return search;
  let { rank } = search;
  for (const [start, count] of chunks.toSorted((a, b) => a[0] - b[0])) {
    if (rank <= count) return { ...search, phase: "locate", start, rank };
    rank -= count;
  }
  throw new RangeError("the passes of an exact selection did not cover its whole scope");
}

const lowOf = (search: Search, bin: number): number => search.low + bin * 2 ** shiftOf(search);
const highOf = (search: Search, bin: number): number =>
  Math.min(search.high, lowOf(search, bin) + 2 ** shiftOf(search) - 1);

/** The bin with the element of that rank from the top, and the rank in the bin. */
function binAt(
  counts: Float64Array,
  rank: number,
): { readonly bin: number; readonly rank: number; readonly outside?: "above" | "below" } {
  if (rank < 1) return { bin: counts.length - 1, rank, outside: "above" };
  let rest = rank;
  for (let bin = counts.length - 1; bin >= 0; bin--) {
    const count = counts[bin]!;
    if (rest <= count) return { bin, rank: rest };
    rest -= count;
  }
  return { bin: 0, rank: rest, outside: "below" };
}
