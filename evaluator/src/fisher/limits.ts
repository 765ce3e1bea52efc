/** How much of a gradient's work goes into one run, so that its memory is bounded whatever the model. */

import { activationBytesPerToken } from "../graph/activation-bytes.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import type { BatchLimits } from "../session/batches.ts";

/** A backward pass keeps the activations of all layers: about 1 MB a token in a BERT-base, so about 1 GB in all. */
const mostTokens = 1024;
/** Bound on the widest activation and its gradient: what counts where the vocabulary is large. */
const activationBytes = 2 ** 30;
/** Beyond this many rows a run saves no more time. */
const mostRows = 32;
/** Bound on the gradient of one tensor, of all rows of a run. */
const rowBytes = 256 * 2 ** 20;

/** @param wanted names of the tensors that gradients are wanted of */
export function runLimits(model: BuiltModel, wanted: readonly string[]): BatchLimits {
  const { weights } = model.graph;
  // The gradient of a table that is only looked up in has the rows of the text's tokens, not those of the table.
  const { node: nodes = [] } = model.graph.build().model.graph ?? {};
  const read = new Set(nodes.flatMap(({ opType, input }) => (opType === "Gather" ? input.slice(1) : input)));
  const sizes = wanted.filter((name) => read.has(name)).map((name) => bytesOf(weights.get(name)!));
  const rows = Math.floor(rowBytes / Math.max(1, ...sizes));
  const tokens = Math.floor(activationBytes / (2 * activationBytesPerToken(model)));
  return { items: clamp(rows, mostRows), tokens: clamp(tokens, mostTokens) };
}

const clamp = (value: number, most: number): number => Math.max(1, Math.min(most, value));

export const bytesOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 4);
