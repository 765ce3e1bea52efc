/**
 * How the items of an estimate are cut for threads. The cut depends on the number of items alone: each range is summed in order, and the
 * sums are added in order, so the result has the same bits with any number of threads.
 */

/**
 * Small, for an abort waits for a range and a few estimates of 30 items should have work for all cores; not smaller, for each range costs the
 * opening of runs and an addition of the model's size.
 */
const rangeItems = 8;

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Ranges that cover all items in order. */
export function rangesOf(items: number): Range[] {
  return Array.from({ length: Math.ceil(items / rangeItems) }, (_, range) => ({
    begin: range * rangeItems,
    end: Math.min(items, (range + 1) * rangeItems),
  }));
}
