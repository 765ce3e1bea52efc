/** Multi-head scaled dot-product attention (Vaswani et al., 2017) over a padded batch, in operators that every provider has. */

import { int, ints } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { flatten, linear, splitHeads } from "./layers.ts";

/** Stands for minus infinity in a mask, as transformers does with the type's lowest value: added to a score it leaves exp() = 0. */
const maskedScore = -3.4028234663852886e38;

/** `[items, tokens]` of ones and zeros -> `[items, 1, 1, tokens]` to add to the scores. */
export function paddingBias(g: GraphBuilder, mask: Value): Value {
  const padded = g.op("Sub", [g.floats([], [1]), mask]);
  return g.op("Unsqueeze", [g.op("Mul", [padded, g.floats([], [maskedScore])]), g.int64s(1, 2)]);
}

export interface Attention {
  readonly names: { readonly query: string; readonly key: string; readonly value: string; readonly output: string };
  readonly hidden: number;
  readonly heads: number;
}

/** Rows `[items * tokens, hidden]` and their grid `[items, tokens]`. */
export interface Rows {
  readonly rows: Value;
  readonly grid: Value;
}

/** What `queries` gather from `states`, after the output projection: rows as many as the queries have. */
export function attention(g: GraphBuilder, layer: Attention, queries: Rows, states: Rows, bias: Value): Value {
  const { names, hidden, heads } = layer;
  const headFeatures = hidden / heads;
  const project = (from: Rows, name: string, order: readonly number[]): Value =>
    splitHeads(g, linear(g, from.rows, name, hidden, hidden), from.grid, heads, headFeatures, order);

  const query = project(queries, names.query, [0, 2, 1, 3]);
  const key = project(states, names.key, [0, 2, 3, 1]);
  const value = project(states, names.value, [0, 2, 1, 3]);

  const scaled = g.op("Mul", [query, g.floats([], [1 / Math.sqrt(headFeatures)])]);
  const scores = g.op("Add", [g.op("MatMul", [scaled, key]), bias]);
  const context = g.op("MatMul", [g.op("Softmax", [scores], { axis: int(-1) }), value]);
  const rows = flatten(g, g.op("Transpose", [context], { perm: ints(0, 2, 1, 3) }), hidden);
  return linear(g, rows, names.output, hidden, hidden);
}
