/** Which tokens one run of a causal model reads, and what it may look back at: whole texts, or what comes after tokens that earlier runs read. */

import { int } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { positions, tokenCount } from "./layers.ts";

/** A layer's keys and values, both `[items, keyHeads, tokens, headFeatures]`. */
export interface KeysAndValues {
  readonly key: Value;
  readonly value: Value;
}

export interface CacheSizes {
  readonly layers: number;
  readonly heads: number;
  readonly features: number;
}

/** A tensor that a run hands to the next: `[items, heads, tokens so far, features]`, float32. A text's first run is fed one of no tokens. */
export interface CacheSlot {
  readonly input: string;
  readonly output: string;
  readonly heads: number;
  readonly features: number;
}

/** The keys and values of each layer that earlier runs have left, as inputs of the graph, and with those of this run as outputs. */
export interface KeyValueCache {
  /** How many tokens the earlier runs read, int64 `[1]`. */
  readonly past: Value;
  /** Those of all runs so far, for those of this one. */
  extend(layer: number, read: KeysAndValues): KeysAndValues;
  readonly slots: readonly CacheSlot[];
}

/** @param prefix tells the caches of one graph apart */
export function keyValueCache(g: GraphBuilder, prefix: string, { layers, heads, features }: CacheSizes): KeyValueCache {
  const slotsOf = (kind: "keys" | "values") =>
    Array.from({ length: layers }, (_, layer) => {
      const [input, output] = [`past_${prefix}${kind}.${layer}`, `${prefix}${kind}.${layer}`];
      return {
        input,
        output,
        heads,
        features,
        past: g.input(input, "float32", ["items", heads, `past_${prefix}tokens`, features]),
      };
    });
  const [keys, values] = [slotsOf("keys"), slotsOf("values")];
  const extended = ({ past, output }: (typeof keys)[number], read: Value): Value => {
    const whole = g.op("Concat", [past, read], { axis: int(2) });
    g.output(output, whole, "float32", ["items", heads, `${prefix}tokens_so_far`, features]);
    return whole;
  };
  return {
    past: g.op("Shape", [keys[0]!.past], { start: int(2), end: int(3) }),
    extend: (layer, { key, value }) => ({ key: extended(keys[layer]!, key), value: extended(values[layer]!, value) }),
    slots: [...keys, ...values].map(({ past, ...slot }) => slot),
  };
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
  /** What a run hands to the next; nothing where whole texts are read. */
  readonly cache: readonly CacheSlot[];
}

/** @param cached whether the tokens come after those whose keys and values earlier runs have cached; else texts are read from their first token on */
export function causalReading(g: GraphBuilder, ids: Value, sizes: CacheSizes, cached: boolean): CausalReading {
  return cached ? afterCached(g, ids, sizes) : wholeTexts(g, ids);
}

function wholeTexts(g: GraphBuilder, ids: Value): CausalReading {
  const places = positions(g, ids);
  return { ids, positions: places, seenPositions: places, seen: (_, read) => read, cache: [] };
}

function afterCached(g: GraphBuilder, ids: Value, sizes: CacheSizes): CausalReading {
  const { past, extend, slots } = keyValueCache(g, "", sizes);
  const scalar = (count: Value): Value => g.op("Squeeze", [count, g.int64s(0)]);
  const [start, end] = [scalar(past), scalar(g.op("Add", [past, tokenCount(g, ids)]))];
  return {
    ids,
    positions: g.op("Range", [start, end, g.int64(1)]),
    seenPositions: g.op("Range", [g.int64(0), end, g.int64(1)]),
    seen: extend,
    cache: slots,
  };
}
