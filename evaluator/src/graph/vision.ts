/** What Vision Transformers share (Dosovitskiy et al., 2020): an image as a sequence of patches behind a class token, and layers that normalise first. */

import { attention } from "./attention.ts";
import { ints } from "./attributes.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { inputNames } from "./families/family.ts";
import { type Activation, layerNorm, mlp, project } from "./layers.ts";

export interface ImageSizes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface PatchSizes extends ImageSizes {
  readonly patchHeight: number;
  readonly patchWidth: number;
  readonly hidden: number;
}

/** How many patches an image is cut into, row by row; what is left at the right and the bottom is not seen. */
export function patchCount({ height, width, patchHeight, patchWidth }: Omit<PatchSizes, "hidden">): number {
  return Math.floor(height / patchHeight) * Math.floor(width / patchWidth);
}

/** Declares the pixels, `[items, channels, height, width]`. */
export function pixelInput(g: GraphBuilder, { channels, height, width }: ImageSizes): Value {
  return g.input(inputNames.pixels, "float32", ["items", channels, height, width]);
}

/**
 * Pixels `[items, channels, height, width]` -> `[items, patches, hidden]`, with the kernel `NAME.weight` `[hidden, channels, patchHeight, patchWidth]`
 * of a convolution whose windows do not overlap: it is a linear layer over each patch, and is computed as one.
 */
export function patchEmbedding(
  g: GraphBuilder,
  pixels: Value,
  name: string,
  sizes: PatchSizes,
  { bias = true }: { readonly bias?: boolean } = {},
): Value {
  const { channels, height, width, patchHeight, patchWidth, hidden } = sizes;
  const [rows, columns] = [Math.floor(height / patchHeight), Math.floor(width / patchWidth)];
  const [seenHeight, seenWidth] = [rows * patchHeight, columns * patchWidth];
  const seen =
    seenHeight === height && seenWidth === width
      ? pixels
      : g.op("Slice", [pixels, g.int64s(0, 0), g.int64s(seenHeight, seenWidth), g.int64s(2, 3)]);
  const cut = g.op("Reshape", [seen, g.int64s(0, channels, rows, patchHeight, columns, patchWidth)]);
  const features = channels * patchHeight * patchWidth;
  const ordered = g.op("Transpose", [cut], { perm: ints(0, 2, 4, 1, 3, 5) });
  const patches = g.op("Reshape", [ordered, g.int64s(0, rows * columns, features)]);
  const kernel = g.weight(`${name}.weight`, [hidden, channels, patchHeight, patchWidth]);
  const product = project(g, patches, g.op("Reshape", [kernel, g.int64s(hidden, features)]));
  return bias ? g.op("Add", [product, g.weight(`${name}.bias`, [hidden])]) : product;
}

/**
 * Puts a token in front of every item's `count` tokens; x `[items, count, hidden]` -> `[items, count + 1, hidden]`. It is added to a row of zeros, which
 * broadcasts: no shape is computed, and what belongs to an item comes from that item.
 * @param token `[1, 1, hidden]`
 */
export function withClassToken(g: GraphBuilder, x: Value, token: Value, count: number): Value {
  const behind = g.op("Pad", [x, g.int64s(0, 1, 0, 0, 0, 0)]);
  return g.op("Add", [behind, g.op("Pad", [token, g.int64s(0, 0, 0, 0, count, 0)])]);
}

export interface PreNormLayer {
  readonly names: {
    readonly attentionNorm: string;
    readonly query: string;
    readonly key: string;
    readonly value: string;
    readonly output: string;
    readonly mlpNorm: string;
    readonly up: string;
    readonly down: string;
  };
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: Activation;
  readonly epsilon: number;
  readonly projectionBias?: boolean;
}

/**
 * `x + attention(norm(x))`, then `x + mlp(norm(x))`; x `[items, tokens, hidden]`.
 * @param bias what is added to the scores of the attention; undefined adds nothing
 * @param only picks the tokens whose output is wanted, such as the one that is classified; all by default
 */
export function preNormLayer(
  g: GraphBuilder,
  layer: PreNormLayer,
  x: Value,
  bias: Value | undefined,
  only: (g: GraphBuilder, x: Value) => Value = (_, all) => all,
): Value {
  const { names, hidden, heads, intermediate, activation, epsilon, projectionBias = true } = layer;
  const states = layerNorm(g, x, names.attentionNorm, hidden, epsilon);
  const gathered = attention(g, { names, hidden, heads, projectionBias }, only(g, states), states, bias);
  const attended = g.op("Add", [gathered, only(g, x)]);
  const normed = layerNorm(g, attended, names.mlpNorm, hidden, epsilon);
  return g.op("Add", [mlp(g, normed, names, { hidden, intermediate }, activation), attended]);
}
