/** What a model family must provide: from a parsed `config.json` to the graph of a sequence classifier. */

import type { ModelGraph } from "../builder.ts";

/** Names of the inputs an encoder may declare; a graph declares those it reads. All are `[items, tokens]`, padded on the right. */
export const inputNames = {
  /** int32. */
  ids: "input_ids",
  /** float32, 1 for a token and 0 for padding. */
  mask: "attention_mask",
  /** int32, 0 for the first text and 1 for the second. */
  types: "token_type_ids",
} as const;

/** Name of the float32 output, `[items, labels]`. */
export const logitsName = "logits";

/** A classifier's graph and the limits its inputs must keep. */
export interface ClassifierGraph {
  readonly graph: ModelGraph;
  /** Number of logits. */
  readonly labels: number;
  /** Token ids are below this. */
  readonly vocabularySize: number;
  /** Longest sequence, special tokens included. */
  readonly maxTokens: number;
}

export interface Family {
  /** As in `config.json`'s `architectures`. */
  readonly architecture: string;
  /** @throws EvaluatorError naming every key of the config that is missing, wrong or not supported. */
  build(config: unknown): ClassifierGraph;
}
