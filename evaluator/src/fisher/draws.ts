/**
 * The random choices of an estimate: which items it looks at, and which answers it draws. Every number is a hash of the seed, the task and
 * what it is for, so nothing depends on threads, ranges or restarts.
 */

import { randomKey, streamWords, uniformAt } from "@amalgam/kernels";

/** Two purposes of one task draw independent numbers. */
const streams = { items: 0, answers: 1 } as const;

/** The items of a split that an estimate looks at, without replacement and in their own order; all where there are no more than wanted. */
export function sampleItems(total: number, wanted: number, seed: number, task: string): number[] {
  const items = Array.from({ length: total }, (_, item) => item);
  if (wanted >= total) return items;
  const words = streamWords(randomKey(seed, task), streams.items);
  const rank = items.map((item) => uniformAt(words, item));
  return items
    .toSorted((a, b) => rank[a]! - rank[b]! || a - b)
    .slice(0, wanted)
    .toSorted((a, b) => a - b);
}

/** Uniform numbers in [0, 1) for the answers drawn of one item; the same number for the same place, however many are asked for. */
export function answerDraws(seed: number, task: string, item: number, count: number): Float32Array {
  const words = streamWords(randomKey(seed, `${task} ${item}`), streams.answers);
  return Float32Array.from({ length: count }, (_, place) => uniformAt(words, place));
}
