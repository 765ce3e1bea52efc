// The search for an order statistic, as pure steps over counts: a sample of the elements suggests an interval, a full pass confirms
// it and lists the values in it, or divides it until it is one value. The answer is exact and depends neither on the sample nor
// on whether values were listed: both only save passes.
import type { Histogram, Search } from "../types.ts";
import { BLOCK_ELEMENTS } from "../types.ts";
import { keyOf, valueOfKey } from "./key.ts";

const BIN_BITS = 11;
/** Scopes below this are searched without sampling. */
const SAMPLE_FROM_ELEMENTS = 1 << 17;
export const sampleRoundsFor = (elements: number): number => (elements < SAMPLE_FROM_ELEMENTS ? 0 : 3);
/**
 * How many elements at the start of every block a pass reads. The last sample is larger, since it says where to look, and all are
 * large enough for the interval to hold but a few in a hundred.
 */
export function sampleElements(roundsLeft: number, elements: number): number {
  if (roundsLeft === 0) return BLOCK_ELEMENTS;
  const last = Math.min(BLOCK_ELEMENTS, Math.max(2048, Math.ceil((32_768 * BLOCK_ELEMENTS) / elements)));
  return roundsLeft === 1 ? last : last >> 2;
}
/** Listing more than one value in so many is slower than looking for a smaller interval. */
const CROWDED_SHARE = 32;
/** Values in an interval that are listed at most, so that memory stays bounded. */
export const MOST_LISTED: number = 1 << 18;

const FIRST_KEY = keyOf(-Infinity);
const LAST_KEY = keyOf(Infinity);
const WHOLE_RANGE = { low: FIRST_KEY, high: LAST_KEY, outerLow: FIRST_KEY, outerHigh: LAST_KEY };

/** How far a key's distance from `low` is shifted to give its bin. */
export const shiftOf = ({ low, high }: Search): number => Math.max(0, 32 - Math.clz32(high - low) - BIN_BITS);

export function startSearch(rank: number, elements: number): Search {
  const start = { ...WHOLE_RANGE, rank, start: 0, threshold: Number.NaN, cutoff: Number.NaN };
  if (rank < 1) return { ...start, phase: "done", threshold: Infinity, cutoff: 0 };
  if (rank >= elements) return { ...start, phase: "done", threshold: -Infinity, cutoff: Infinity };
  return { ...start, phase: "search" };
}

/** Narrows the interval to where the sample says the answer should be, with a margin that is rarely too small. */
export function afterSample(
  search: Search,
  { above, counts }: Histogram,
  { sampled, elements, wholeRows }: { sampled: number; elements: number; wholeRows: boolean },
): Search {
  if (search.phase !== "search") return search;
  const fraction = search.rank / elements;
  const expected = fraction * sampled;
  // What is sampled row by row, and depends on the row, is as good as fewer elements.
  const deviations = wholeRows ? 16 : 4;
  const margin = deviations * Math.sqrt(expected * (1 - fraction)) + 16;
  const upper = binAt(counts, Math.floor(expected - margin) - above);
  const lower = binAt(counts, Math.ceil(expected + margin) - above);
  const high = upper.outside === "above" ? search.high : highOf(search, upper.bin);
  const low = lower.outside === "below" ? search.low : lowOf(search, lower.bin);
  const most = shiftOf(search) === 0 ? mostIn(counts, lower.bin, upper.bin) : undefined;
  if (most === undefined) return { ...search, low, high };
  // A value that most of the interval's elements have is looked at alone: they would be too many to list.
  const key = lowOf(search, most);
  return { ...search, low: key, high: key, outerLow: low, outerHigh: high };
}

/** Whether the sample found many in the narrowed interval: a further one may narrow it to a value they share. */
export function isCrowded(before: Search, after: Search, { counts }: Histogram, sampled: number): boolean {
  if (after.phase !== "search" || after.low === after.high) return false;
  if (after.low === before.low && after.high === before.high) return false;
  const binOf = (key: number): number => Math.floor((key - before.low) / 2 ** shiftOf(before));
  const inside = counts.subarray(binOf(after.low), binOf(after.high) + 1).reduce((a, b) => a + b, 0);
  return inside * CROWDED_SHARE > sampled;
}

/** The bin that holds more than half of what bins hold, if there is one. */
function mostIn(counts: Float64Array, first: number, last: number): number | undefined {
  const total = counts.subarray(first, last + 1).reduce((a, b) => a + b, 0);
  const bin = counts.findIndex((count, i) => i >= first && i <= last && 2 * count > total);
  return bin < 0 ? undefined : bin;
}

/** Narrows the interval to the bin that holds the rank, and ends the search where that, or what was listed, gives the answer. */
export function afterCount(search: Search, histogram: Histogram, exact: boolean): Search {
  if (search.phase !== "search") return search;
  const { bin, rank, outside } = binAt(histogram.counts, search.rank - histogram.above);
  if (outside) return widened(search, outside);
  const narrowed = { ...search, low: lowOf(search, bin), high: highOf(search, bin) };
  const { low, high } = narrowed;
  const found = { ...narrowed, phase: "done", rank, threshold: valueOfKey(low), cutoff: Infinity } as const;
  const count = histogram.counts[bin]!;
  if (histogram.listed) return fromList(narrowed, histogram.listed, rank, exact);
  if (low === high && (!exact || rank === count)) return found;
  // Divided further, or, if only one value is left, counted chunk by chunk.
  if (search.low < search.high) return narrowed;
  return { ...found, phase: "locate", ...chunkAt(histogram.chunks, rank) };
}

/** The outer interval, on the side where the answer is; then the whole range, where the sample misled. Above that is NaN only. */
function widened(search: Search, outside: "above" | "below"): Search {
  const rest =
    outside === "above"
      ? { low: search.high + 1, high: search.outerHigh }
      : { low: search.outerLow, high: search.low - 1 };
  const isWhole = search.outerLow === FIRST_KEY && search.outerHigh === LAST_KEY;
  if (!isWhole && rest.low <= rest.high) return { ...search, ...WHOLE_RANGE, ...rest };
  if (search.low > FIRST_KEY || search.high < LAST_KEY) return { ...search, ...WHOLE_RANGE };
  if (outside === "above") return { ...search, phase: "done", threshold: Number.NaN, cutoff: Infinity };
  throw new RangeError("the passes of an order statistic did not cover its whole scope");
}

/** The element of that rank among the listed ones in the interval. */
function fromList(
  search: Search,
  { keys, indexes }: Required<Histogram>["listed"],
  rank: number,
  exact: boolean,
): Search {
  const inside = keys.filter((key) => key >= search.low && key <= search.high);
  const key = smallest(Float64Array.from(inside), inside.length - rank);
  const found = {
    ...search,
    phase: "done",
    low: key,
    high: key,
    threshold: valueOfKey(key),
    cutoff: Infinity,
  } as const;
  const equals = Float64Array.from(indexes.filter((_, i) => keys[i] === key));
  const kept = rank - inside.reduce((n, other) => n + (other > key ? 1 : 0), 0);
  return exact && kept < equals.length ? { ...found, cutoff: smallest(equals, kept - 1) + 1 } : found;
}

/** The value that a sort would put at that place; reorders the values. */
function smallest(values: Float64Array, place: number): number {
  let [from, to] = [0, values.length - 1];
  while (from < to) {
    const pivot = values[(from + to) >> 1]!;
    let [left, right] = [from, to];
    while (left <= right) {
      while (values[left]! < pivot) left++;
      while (values[right]! > pivot) right--;
      if (left > right) break;
      [values[left], values[right]] = [values[right]!, values[left]!];
      left++;
      right--;
    }
    if (place <= right) to = right;
    else if (place >= left) from = left;
    else return pivot;
  }
  return values[place]!;
}

/** The chunk that holds the last of the equals to be kept, and the rank in it. */
function chunkAt(chunks: Histogram["chunks"], rankOfAll: number): { readonly start: number; readonly rank: number } {
  let rank = rankOfAll;
  for (const [start, count] of chunks) {
    if (rank <= count) return { start, rank };
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
