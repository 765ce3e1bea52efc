// What a candidate got right, item by item, as it stands in the journal; and scores of parts put together.
import type { Score } from "./events.ts";

/** For each item 1 when it was right, else 0. Undefined where the journal does not say. */
export function itemResults({ items, perItem }: Score): Uint8Array | undefined {
  if (perItem === undefined) return undefined;
  const packed = Buffer.from(perItem, "base64");
  return Uint8Array.from({ length: items }, (_, item) => ((packed[item >> 3] ?? 0) >> (item & 7)) & 1);
}

/** Eight items to a byte, the first in the lowest bit, in base64. */
export function packResults(results: Uint8Array): string {
  const packed = Buffer.alloc(Math.ceil(results.length / 8));
  results.forEach((bit, item) => {
    packed[item >> 3]! |= bit << (item & 7);
  });
  return packed.toString("base64");
}

/** The score on the items of both parts, which have none in common: sums of items, errors of independent samples. */
export function combineScores(first: Score, second: Score): Score {
  const items = first.items + second.items;
  const mean = (of: (score: Score) => number): number => (first.items * of(first) + second.items * of(second)) / items;
  const results = [itemResults(first), itemResults(second)];
  const isKnown = results.every((each) => each !== undefined);
  return {
    items,
    correct: first.correct + second.correct,
    accuracy: mean(({ accuracy }) => accuracy),
    standardError: Math.hypot(first.items * first.standardError, second.items * second.standardError) / items,
    loss: mean(({ loss }) => loss),
    ...(isKnown && { perItem: packResults(Uint8Array.from(results.flatMap((each) => [...each!]))) }),
  };
}
