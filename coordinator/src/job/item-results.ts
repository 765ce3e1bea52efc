// What a candidate's items brought, one by one, as it stands in the journal; and scores of parts put together.
import { packBits, unpackBits } from "@amalgam/runtime";
import type { Score } from "./events.ts";

/** Zeros and ones as bytes, or floats. */
export type ItemResults = Uint8Array | Float32Array;

/** Undefined where the journal does not say, or says it of other items. */
export function itemResults({ items, perItem }: Score): ItemResults | undefined {
  if (perItem === undefined) return undefined;
  if ("bits" in perItem) return unpackBits(Buffer.from(perItem.bits, "base64"), items);
  const bytes = Uint8Array.from(Buffer.from(perItem.float32, "base64"));
  return bytes.length === 4 * items ? new Float32Array(bytes.buffer) : undefined;
}

/** Results as the journal has them: packed bits or float32, in base64. */
export function packResults(results: ItemResults): NonNullable<Score["perItem"]> {
  if (results instanceof Uint8Array) return { bits: Buffer.from(packBits(results)).toString("base64") };
  const { buffer, byteOffset, byteLength } = results;
  return { float32: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
}

/** The score on the items of both parts, which have none in common: sums of items, errors of independent samples. */
export function combineScores(first: Score, second: Score): Score {
  const items = first.items + second.items;
  const mean = (of: (score: Score) => number): number => (first.items * of(first) + second.items * of(second)) / items;
  const results = joined(itemResults(first), itemResults(second));
  return {
    items,
    metric: first.metric,
    score: mean(({ score }) => score),
    standardError: Math.hypot(first.items * first.standardError, second.items * second.standardError) / items,
    loss: mean(({ loss }) => loss),
    ...(results && { perItem: packResults(results) }),
  };
}

function joined(first: ItemResults | undefined, second: ItemResults | undefined): ItemResults | undefined {
  if (first === undefined || second === undefined) return undefined;
  const all = [...first, ...second];
  return first instanceof Uint8Array && second instanceof Uint8Array ? Uint8Array.from(all) : Float32Array.from(all);
}
