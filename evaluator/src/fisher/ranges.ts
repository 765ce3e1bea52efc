/**
 * How the items of an estimate are cut for threads. The cut depends on the number of items alone: each range is summed in order, and the
 * sums are added in order, so the result has the same bits with any number of threads.
 */

/** So few that 30 items, DF-Merge's sample, are work for four cores. */
const fewestItems = 8;
/** So many that an abort, which waits for a range, and a save, which comes after one, are not long in coming. */
const mostItems = 64;
/** Of a sample between the two: enough for the cores of a large machine. Each costs an addition of the model's size. */
const ranges = 16;

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Ranges that cover all items in order. */
export function rangesOf(items: number): Range[] {
  const size = Math.min(mostItems, Math.max(fewestItems, Math.ceil(items / ranges)));
  return Array.from({ length: Math.ceil(items / size) }, (_, range) => ({
    begin: range * size,
    end: Math.min(items, (range + 1) * size),
  }));
}
