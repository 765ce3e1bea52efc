/**
 * How the items of an estimate are cut for threads. The cut depends on the number of items alone: each range is summed in order, and the
 * sums are added in order, so the result has the same bits with any number of threads.
 */

/** Enough for the cores of a large machine; each costs one addition of the model's size, little beside the gradients of its items. */
const mostRanges = 16;

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Ranges of equal size, to one item, that cover all items in order. */
export function rangesOf(items: number): Range[] {
  const count = Math.min(items, mostRanges);
  return Array.from({ length: count }, (_, range) => ({
    begin: Math.floor((range * items) / count),
    end: Math.floor(((range + 1) * items) / count),
  }));
}
