/** Which tokens one run of a causal model reads, and what it may look back at: whole texts, or what comes after tokens that earlier runs read. */

import type { GraphBuilder, Value } from "./builder.ts";
import { positions } from "./layers.ts";

/** A layer's keys and values, both `[items, keyHeads, tokens, headFeatures]`. */
export interface KeysAndValues {
  readonly key: Value;
  readonly value: Value;
}

export interface CausalReading {
  /** The tokens read, int32 `[items, tokens]`. */
  readonly ids: Value;
  /** Their places in the text, int64 `[tokens]`. */
  readonly positions: Value;
  /** The places of the tokens they may look back at, themselves included, int64 `[seen]`. */
  readonly seenPositions: Value;
  /** What a layer's queries look at, for the keys and values of the tokens read. */
  seen(layer: number, read: KeysAndValues): KeysAndValues;
}

/** Texts from their first token on. */
export function wholeTexts(g: GraphBuilder, ids: Value): CausalReading {
  const places = positions(g, ids);
  return { ids, positions: places, seenPositions: places, seen: (_, read) => read };
}
