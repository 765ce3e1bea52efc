/**
 * The layers that Transformers share, as functions that append to a graph. Activations are flattened to `[rows, features]`, one row per token:
 * a linear layer is then one Gemm with its bias, and PyTorch's `[out, in]` weights are read as they lie in the file.
 */

import { float, int, ints, string } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";

/** `x W^T + b`; x `[rows, inputs]` -> `[rows, outputs]`, with `NAME.weight` `[outputs, inputs]` and `NAME.bias`. */
export function linear(g: GraphBuilder, x: Value, name: string, inputs: number, outputs: number): Value {
  const weight = g.weight(`${name}.weight`, [outputs, inputs]);
  return g.op("Gemm", [x, weight, g.weight(`${name}.bias`, [outputs])], { transB: int(1) });
}

/** Layer normalisation over the last dimension (Ba et al., 2016). */
export function layerNorm(g: GraphBuilder, x: Value, name: string, features: number, epsilon: number): Value {
  const parameters = [g.weight(`${name}.weight`, [features]), g.weight(`${name}.bias`, [features])];
  return g.op("LayerNormalization", [x, ...parameters], { axis: int(-1), epsilon: float(epsilon) });
}

/** Rows of the table `NAME.weight` `[rows, features]`; ids of any shape -> that shape with features appended. */
export function embedding(g: GraphBuilder, ids: Value, name: string, rows: number, features: number): Value {
  return g.op("Gather", [g.weight(`${name}.weight`, [rows, features]), ids], { axis: int(0) });
}

/** An activation by its name in `config.json`. */
export type Activation = "gelu" | "gelu_new" | "gelu_pytorch_tanh" | "relu";

const activations: Record<Activation, (g: GraphBuilder, x: Value) => Value> = {
  gelu: (g, x) => g.op("Gelu", [x]),
  gelu_new: (g, x) => g.op("Gelu", [x], { approximate: string("tanh") }),
  gelu_pytorch_tanh: (g, x) => g.op("Gelu", [x], { approximate: string("tanh") }),
  relu: (g, x) => g.op("Relu", [x]),
};

export const activationNames: readonly Activation[] = Object.keys(activations) as Activation[];

/** Two linear layers with an activation between them. */
export function mlp(
  g: GraphBuilder,
  x: Value,
  names: { readonly up: string; readonly down: string },
  sizes: { readonly hidden: number; readonly intermediate: number },
  activation: Activation,
): Value {
  const inner = activations[activation](g, linear(g, x, names.up, sizes.hidden, sizes.intermediate));
  return linear(g, inner, names.down, sizes.intermediate, sizes.hidden);
}

/** The batch's `[items, tokens]` as an int64 tensor, read from any value of that leading shape. */
export function gridOf(g: GraphBuilder, ids: Value): Value {
  return g.op("Shape", [ids], { start: int(0), end: int(2) });
}

/** The grid with one token per item. */
export function firstTokenGrid(g: GraphBuilder, grid: Value): Value {
  return g.op("Concat", [g.op("Slice", [grid, g.int64s(0), g.int64s(1)]), g.int64s(1)], { axis: int(0) });
}

/** The first token's row of every item; x `[items * tokens, features]` -> `[items, features]`. */
export function firstToken(g: GraphBuilder, x: Value, grid: Value, features: number): Value {
  const items = g.op("Reshape", [x, g.op("Concat", [grid, g.int64s(features)], { axis: int(0) })]);
  const first = g.op("Gather", [items, g.int64s(0)], { axis: int(1) });
  return flatten(g, first, features);
}

/** Folds every leading dimension into rows: `[..., features]` -> `[rows, features]`. */
export function flatten(g: GraphBuilder, x: Value, features: number): Value {
  return g.op("Reshape", [x, g.int64s(-1, features)]);
}

/** The first `tokens` rows of a learned position table `[positions, features]`, `tokens` as the grid says. */
export function positionEmbedding(g: GraphBuilder, grid: Value, name: string, rows: number, features: number): Value {
  const tokens = g.op("Slice", [grid, g.int64s(1), g.int64s(2)]);
  return g.op("Slice", [g.weight(`${name}.weight`, [rows, features]), g.int64s(0), tokens, g.int64s(0)]);
}

/** Rows split into heads; x `[items * tokens, heads * d]` -> `[items, tokens, heads, d]` permuted by `order`. */
export function splitHeads(
  g: GraphBuilder,
  x: Value,
  grid: Value,
  heads: number,
  headFeatures: number,
  order: readonly number[],
): Value {
  const shape = g.op("Concat", [grid, g.int64s(heads, headFeatures)], { axis: int(0) });
  return g.op("Transpose", [g.op("Reshape", [x, shape])], { perm: ints(...order) });
}
