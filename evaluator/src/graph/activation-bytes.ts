/** How much memory a batch takes, estimated from the graph before anything runs: what bounds the batches of a model with a large vocabulary. */

import type { GraphProto, NodeProto } from "onnx-buf";
import type { BuiltModel } from "./families/family.ts";

/** The widest activation, what it is computed into, and one more beside it (a residual, a gate, the exponentials of a softmax). */
const alive = 3;

/**
 * Bytes of float32 activations that a forward pass holds at its widest, for each token of a batch. Attention's scores, which grow with the square of
 * the tokens, are not in it: they are narrower than a layer's activations up to `features / heads` times the widest layer's expansion.
 */
export function activationBytesPerToken({ graph }: BuiltModel): number {
  const { weights, model } = graph.build();
  return 4 * alive * Math.max(1, ...widths(model.graph!, weights));
}

/** Features of everything that is a product with a weight, or read from a table. */
function widths(graph: GraphProto, weights: ReadonlyMap<string, readonly number[]>): number[] {
  const transposed = new Map<string, readonly number[]>();
  const shapeOf = (name: string | undefined): readonly number[] | undefined =>
    name === undefined ? undefined : (weights.get(name) ?? transposed.get(name));
  const found: number[] = [];
  for (const node of graph.node) {
    if (node.opType === "Transpose") {
      const shape = weights.get(node.input[0]!);
      if (shape !== undefined) transposed.set(node.output[0]!, shape.toReversed());
    } else {
      const shape = tableOf(node, shapeOf);
      if (shape !== undefined) found.push(shape.at(-1)!);
    }
  }
  return found;
}

function tableOf(
  { opType, input }: NodeProto,
  shapeOf: (name: string | undefined) => readonly number[] | undefined,
): readonly number[] | undefined {
  if (opType === "MatMul") return shapeOf(input[1]);
  if (opType === "Gather") return shapeOf(input[0]);
  return undefined;
}
