/**
 * How the items of an estimate are cut for threads. The cut depends on the number of items alone: each range is summed in order, and the
 * sums are added in order, so the result has the same bits with any number of threads.
 */

/** Ranges enough for the cores of a large machine where there are items enough. */
const fewestRanges = 16;
/** An abort waits for a range; and beside the gradients of so many items, one addition of the model's size costs little. */
const mostItems = 8;

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Ranges that cover all items in order. */
export function rangesOf(items: number): Range[] {
  const size = Math.min(mostItems, Math.ceil(items / fewestRanges));
  return Array.from({ length: Math.ceil(items / size) || 0 }, (_, range) => ({
    begin: range * size,
    end: Math.min(items, (range + 1) * size),
  }));
}
