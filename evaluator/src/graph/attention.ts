/** Scaled dot-product attention (Vaswani et al., 2017) over a padded batch, in operators that every provider has. */

import { int, ints } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { capSoftly, linear } from "./layers.ts";

/** Stands for minus infinity in a mask, as transformers does with the type's lowest value: added to a score it leaves exp() = 0. */
const maskedScore = -3.4028234663852886e38;

/** `[items, tokens]` of ones and zeros -> `[items, 1, 1, tokens]` to add to the scores. */
export function paddingBias(g: GraphBuilder, mask: Value): Value {
  const padded = g.op("Sub", [g.floats([], [1]), mask]);
  return g.op("Unsqueeze", [g.op("Mul", [padded, g.floats([], [maskedScore])]), g.int64s(1, 2)]);
}

/**
 * `[q, k]` to add to the scores of queries and keys at these places of a text, int64 `[q]` and `[k]`: no token sees a later one, nor with a
 * `window` one that is `window` or more tokens back. Where padding lies on the right, no token that counts sees any, so that a causal model needs
 * no other mask.
 */
export function lookBackBias(g: GraphBuilder, queries: Value, keys: Value, window?: number): Value {
  const query = g.op("Unsqueeze", [queries, g.int64s(1)]);
  const key = g.op("Unsqueeze", [keys, g.int64s(0)]);
  const notLater = g.op("LessOrEqual", [key, query]);
  const near = (size: number): Value => g.op("Greater", [key, g.op("Sub", [query, g.int64(size)])]);
  const seen = window === undefined ? notLater : g.op("And", [notLater, near(window)]);
  return g.op("Where", [seen, g.floats([], [0]), g.floats([], [maskedScore])]);
}

/** `[items, tokens, heads * d]` -> `[items, heads, tokens, d]`. */
export function splitHeads(g: GraphBuilder, x: Value, heads: number, headFeatures: number): Value {
  const split = g.op("Reshape", [x, g.int64s(0, 0, heads, headFeatures)]);
  return g.op("Transpose", [split], { perm: ints(0, 2, 1, 3) });
}

/** `[items, heads, tokens, d]` -> `[items, tokens, heads * d]`. */
export function joinHeads(g: GraphBuilder, x: Value, heads: number, headFeatures: number): Value {
  return g.op("Reshape", [g.op("Transpose", [x], { perm: ints(0, 2, 1, 3) }), g.int64s(0, 0, heads * headFeatures)]);
}

export interface HeadSizes {
  readonly heads: number;
  /** Fewer than `heads` where several queries share a key and a value (Ainslie et al., 2023); as many by default. */
  readonly keyHeads?: number;
  readonly headFeatures: number;
  /** What scores are multiplied by; `1 / sqrt(headFeatures)` by default. */
  readonly scale?: number;
  /** Scores `s` become `cap * tanh(s / cap)`. */
  readonly softcap?: number | undefined;
}

/**
 * What queries `[items, heads, q, d]` gather from keys and values `[items, keyHeads, k, d]`: `[items, q, heads * d]`.
 * @param bias what is added to the scores `[items, heads, q, k]`, of a shape that broadcasts to them; undefined adds nothing
 */
export function gather(
  g: GraphBuilder,
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  bias: Value | undefined,
  sizes: HeadSizes,
): Value {
  const { heads, keyHeads = heads, headFeatures, scale = 1 / Math.sqrt(headFeatures), softcap } = sizes;
  const scaled = scale === 1 ? query : g.op("Mul", [query, g.floats([], [scale])]);
  const transposed = g.op("Transpose", [key], { perm: ints(0, 1, 3, 2) });
  // Heads that share a key are rows of one product, so that no key is copied: [items, keyHeads, heads / keyHeads * q, ...].
  const grouped = (x: Value): Value => (keyHeads === heads ? x : g.op("Reshape", [x, g.int64s(0, keyHeads, -1, 0)]));
  const apart = (x: Value): Value => (keyHeads === heads ? x : g.op("Reshape", [x, g.int64s(0, heads, -1, 0)]));
  let scores = apart(g.op("MatMul", [grouped(scaled), transposed]));
  if (softcap !== undefined) scores = capSoftly(g, scores, softcap);
  if (bias !== undefined) scores = g.op("Add", [scores, bias]);
  const shares = g.op("Softmax", [scores], { axis: int(-1) });
  const context = apart(g.op("MatMul", [grouped(shares), value]));
  return joinHeads(g, context, heads, headFeatures);
}

export interface Attention {
  readonly names: { readonly query: string; readonly key: string; readonly value: string; readonly output: string };
  readonly hidden: number;
  readonly heads: number;
  /** Whether queries, keys and values have biases, as they do by default; the output always has one. */
  readonly projectionBias?: boolean;
}

/** Multi-head attention: what `queries` `[items, q, hidden]` gather from `states` `[items, k, hidden]`, after the output projection. */
export function attention(
  g: GraphBuilder,
  { names, hidden, heads, projectionBias = true }: Attention,
  queries: Value,
  states: Value,
  bias: Value | undefined,
): Value {
  const headFeatures = hidden / heads;
  const project = (from: Value, name: string): Value =>
    splitHeads(g, linear(g, from, name, hidden, hidden, { bias: projectionBias }), heads, headFeatures);
  const projected = {
    query: project(queries, names.query),
    key: project(states, names.key),
    value: project(states, names.value),
  };
  return linear(g, gather(g, projected, bias, { heads, headFeatures }), names.output, hidden, hidden);
}
