// What a candidate got right, item by item, as it stands in the journal; and scores of parts put together.
import { packBits, unpackBits } from "@amalgam/runtime";
import type { Score } from "./events.ts";

/** For each item 1 when it was right, else 0. Undefined where the journal does not say. */
export const itemResults = ({ items, perItem }: Score): Uint8Array | undefined =>
  perItem === undefined ? undefined : unpackBits(Buffer.from(perItem, "base64"), items);

/** Results as the journal has them: packed bits in base64. */
export const packResults = (results: Uint8Array): string => Buffer.from(packBits(results)).toString("base64");

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
