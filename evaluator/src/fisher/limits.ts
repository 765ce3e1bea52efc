/** How much of a gradient's work goes into one run, so that its memory is bounded whatever the model. */

import type { ModelProto } from "onnx-buf";
import type { BatchLimits } from "../batches.ts";

/** A backward pass keeps the activations of all layers: about 1 MB a token in a BERT-base, so about 1 GB in all. */
const mostTokens = 1024;
/** Beyond this many rows a run saves no more time. */
const mostRows = 32;
/** Bound on the gradient of one tensor, of all rows of a run. */
const rowBytes = 256 * 2 ** 20;

/** @param shapes of the tensors that gradients are wanted of */
export function runLimits({ graph }: ModelProto, shapes: ReadonlyMap<string, readonly number[]>): BatchLimits {
  // The gradient of a table that is only looked up in has the rows of the text's tokens, not those of the table.
  const read = (graph?.node ?? []).flatMap(({ opType, input }) => (opType === "Gather" ? input.slice(1) : input));
  const sizes = [...shapes].filter(([name]) => read.includes(name)).map(([, shape]) => bytesOf(shape));
  const rows = Math.floor(rowBytes / Math.max(1, ...sizes));
  return { items: Math.max(1, Math.min(mostRows, rows)), tokens: mostTokens };
}

export const bytesOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 4);
