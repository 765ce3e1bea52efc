/**
 * The layers that Transformers share, as functions that append to a graph. Activations are `[items, tokens, features]`; the items are axis 0
 * from the inputs to the logits and are never folded into another axis, so that a gradient can be had for each item (see `gradient/`).
 * PyTorch's `[out, in]` weights are read as they lie in the file: onnxruntime fuses the transposition into the product.
 */

import { float, int, ints, string } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";

/** `x W^T + b`; x `[..., inputs]` -> `[..., outputs]`, with `NAME.weight` `[outputs, inputs]` and, unless there is none, `NAME.bias`. */
export function linear(
  g: GraphBuilder,
  x: Value,
  name: string,
  inputs: number,
  outputs: number,
  { bias = true }: { readonly bias?: boolean } = {},
): Value {
  const product = project(g, x, g.weight(`${name}.weight`, [outputs, inputs]));
  return bias ? g.op("Add", [product, g.weight(`${name}.bias`, [outputs])]) : product;
}

/** `x W^T` for a weight `[outputs, inputs]` that is declared already, such as a table of embeddings that is the output layer too. */
export function project(g: GraphBuilder, x: Value, weight: Value): Value {
  return g.op("MatMul", [x, g.op("Transpose", [weight], { perm: ints(1, 0) })]);
}

/** Layer normalisation over the last dimension (Ba et al., 2016). */
export function layerNorm(g: GraphBuilder, x: Value, name: string, features: number, epsilon: number): Value {
  const parameters = [g.weight(`${name}.weight`, [features]), g.weight(`${name}.bias`, [features])];
  return g.op("LayerNormalization", [x, ...parameters], { axis: int(-1), epsilon: float(epsilon) });
}

/** `x / sqrt(mean(x^2) + epsilon) * scale` over the last dimension (Zhang and Sennrich, 2019); `scale` `[features]`. */
export function rmsNorm(g: GraphBuilder, x: Value, scale: Value, epsilon: number): Value {
  const square = g.op("ReduceMean", [g.op("Mul", [x, x]), g.int64s(-1)], { keepdims: int(1) });
  const size = g.op("Sqrt", [g.op("Add", [square, g.floats([], [epsilon])])]);
  return g.op("Mul", [g.op("Div", [x, size]), scale]);
}

/** Rows of the table `NAME.weight` `[rows, features]`; ids of any shape -> that shape with features appended. */
export function embedding(g: GraphBuilder, ids: Value, name: string, rows: number, features: number): Value {
  return g.op("Gather", [g.weight(`${name}.weight`, [rows, features]), ids], { axis: int(0) });
}

/** An activation by its name in `config.json`. */
export type Activation =
  | "gelu"
  | "gelu_new"
  | "gelu_pytorch_tanh"
  | "gelu_fast"
  | "quick_gelu"
  | "relu"
  | "silu"
  | "swish";

const tanhGelu = (g: GraphBuilder, x: Value): Value => g.op("Gelu", [x], { approximate: string("tanh") });
const silu = (g: GraphBuilder, x: Value): Value => g.op("Mul", [x, g.op("Sigmoid", [x])]);

const activations: Record<Activation, (g: GraphBuilder, x: Value) => Value> = {
  gelu: (g, x) => g.op("Gelu", [x]),
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_fast: tanhGelu,
  quick_gelu: (g, x) => g.op("Mul", [x, g.op("Sigmoid", [g.op("Mul", [x, g.floats([], [1.702])])])]),
  relu: (g, x) => g.op("Relu", [x]),
  silu,
  swish: silu,
};

export const activationNames: readonly Activation[] = Object.keys(activations) as Activation[];

export function activate(g: GraphBuilder, x: Value, activation: Activation): Value {
  return activations[activation](g, x);
}

export interface MlpSizes {
  readonly hidden: number;
  readonly intermediate: number;
}

/** Two linear layers with an activation between them. */
export function mlp(
  g: GraphBuilder,
  x: Value,
  names: { readonly up: string; readonly down: string },
  { hidden, intermediate }: MlpSizes,
  activation: Activation,
  options: { readonly bias?: boolean } = {},
): Value {
  const inner = activate(g, linear(g, x, names.up, hidden, intermediate, options), activation);
  return linear(g, inner, names.down, intermediate, hidden, options);
}

/** `down(activation(gate(x)) * up(x))` (Shazeer, 2020), without biases unless they are asked for. */
export function gatedMlp(
  g: GraphBuilder,
  x: Value,
  names: { readonly gate: string; readonly up: string; readonly down: string },
  { hidden, intermediate }: MlpSizes,
  activation: Activation,
  { bias = false }: { readonly bias?: boolean } = {},
): Value {
  const gate = activate(g, linear(g, x, names.gate, hidden, intermediate, { bias }), activation);
  const inner = g.op("Mul", [gate, linear(g, x, names.up, hidden, intermediate, { bias })]);
  return linear(g, inner, names.down, intermediate, hidden, { bias });
}

/** The first token of every item; x `[items, tokens, features]` -> `[items, 1, features]`. */
export function firstToken(g: GraphBuilder, x: Value): Value {
  return g.op("Slice", [x, g.int64s(0), g.int64s(1), g.int64s(1)]);
}

/** The last token of every item that counts; mask `[items, tokens]`: `[items, features]`. */
export function lastToken(g: GraphBuilder, x: Value, mask: Value): Value {
  const count = g.cast(g.op("ReduceSum", [mask, g.int64s(1)], { keepdims: int(1) }), "int64");
  const last = g.op("Unsqueeze", [g.op("Sub", [count, g.int64s(1)]), g.int64s(2)]);
  const features = g.op("Shape", [x], { start: int(2) });
  const index = g.op("Expand", [last, g.op("Concat", [g.int64s(1, 1), features], { axis: int(0) })]);
  return oneToken(g, g.op("GatherElements", [x, index], { axis: int(1) }));
}

/** Takes the tokens' axis away where it has one token; x `[items, 1, features]` -> `[items, features]`. */
export function oneToken(g: GraphBuilder, x: Value): Value {
  return g.op("Squeeze", [x, g.int64s(1)]);
}

/** How many tokens a batch has, int64 `[1]`, read from any value whose axis 1 they are. */
export function tokenCount(g: GraphBuilder, x: Value): Value {
  return g.op("Shape", [x], { start: int(1), end: int(2) });
}

/** 0, 1, ... tokens - 1 as int64 `[tokens]`. */
export function positions(g: GraphBuilder, x: Value): Value {
  const count = g.op("Squeeze", [tokenCount(g, x), g.int64s(0)]);
  return g.op("Range", [g.int64(0), count, g.int64(1)]);
}

/** The first rows of a learned position table `[rows, features]`, as many as the batch `ids` has tokens: `[tokens, features]`. */
export function positionEmbedding(g: GraphBuilder, ids: Value, name: string, rows: number, features: number): Value {
  return g.op("Slice", [g.weight(`${name}.weight`, [rows, features]), g.int64s(0), tokenCount(g, ids), g.int64s(0)]);
}

/** `cap * tanh(x / cap)`: within `cap` of zero, and `x` where it is small. */
export function capSoftly(g: GraphBuilder, x: Value, cap: number): Value {
  const bound = g.floats([], [cap]);
  return g.op("Mul", [g.op("Tanh", [g.op("Div", [x, bound])]), bound]);
}
