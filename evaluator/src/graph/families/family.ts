/** What a model family must provide: from a parsed `config.json` to a graph that ends in logits. */

import type { GraphBuilder, Value } from "../builder.ts";
import type { CacheSlot } from "../causal-reading.ts";
import type { ImageSizes } from "../vision.ts";

/** Names of the inputs a graph may declare; it declares those it reads. Padding always lies on the right. */
export const inputNames = {
  /** int32 `[items, tokens]`. */
  ids: "input_ids",
  /** float32 `[items, tokens]`, 1 for a token and 0 for padding. */
  mask: "attention_mask",
  /** int32 `[items, tokens]`, 0 for the first text and 1 for the second. */
  types: "token_type_ids",
  /** int32 `[items, targets]`: what the decoder of a sequence-to-sequence model reads, its start token first. */
  decoderIds: "decoder_input_ids",
  /** float32 `[items, channels, height, width]`, normalised. */
  pixels: "pixel_values",
} as const;

/** Name of the float32 output of a graph that has no other head. */
export const logitsName = "logits";

/** What a model is for; decides the shape of its logits. */
export type ModelKind =
  /** `[items, labels]`. */
  | "sequence-classification"
  /** `[items, labels]`, from pixels. */
  | "image-classification"
  /** `[items, features]`, from pixels: what a zero-shot head classifies. */
  | "image-features"
  /** `[items, tokens, vocabulary]`, of the token at each place itself. */
  | "masked-lm"
  /** `[items, tokens, vocabulary]`, of the token after each place. */
  | "causal-lm"
  /** `[items, targets, vocabulary]`, of the token after each place of the decoder. */
  | "seq2seq-lm";

/** A model up to its logits, and the limits its inputs must keep. What the logits are for is appended by a head (see `heads.ts`). */
export interface BuiltModel {
  /** As in `config.json`'s `architectures`. */
  readonly architecture: string;
  readonly kind: ModelKind;
  /** Not yet finished: nodes and outputs may be appended. */
  readonly graph: GraphBuilder;
  readonly logits: Value;
  /**
   * The logits of some places of a language model: `select` takes them of any value `[items, tokens, features]`. Spares the products of the other
   * places with the output layer; absent where `logits` can only be had whole.
   */
  readonly logitsAt?: (select: (x: Value) => Value) => Value;
  /** Tensors that a run takes from the run before it, where the model was built to (see `BuildOptions`). */
  readonly cache?: readonly CacheSlot[];
  /** Number of logits of a classifier. */
  readonly labels?: number;
  /** Number of features of a model without a head. */
  readonly features?: number;
  /** Token ids are below this. */
  readonly vocabularySize?: number;
  /** Longest sequence, special tokens included; absent where there is no limit. */
  readonly maxTokens?: number;
  /** The token that the decoder of a sequence-to-sequence model starts with. */
  readonly decoderStart?: number;
  /** False where the items may not stay on axis 0 throughout, as in a graph that others made: gradients are then had of one item at a time. */
  readonly itemsApart?: boolean;
  /** What pixels must be. */
  readonly image?: ImageSizes & {
    /** How many tokens the model makes of an image: its patches and the class token. */
    readonly tokens: number;
  };
}

export interface BuildOptions {
  /**
   * Builds a language model that reads the tokens after those whose keys and values are `cache`d, and may write one token at a time; a family
   * that cannot do so gives a model without a cache.
   */
  readonly cached?: boolean;
}

export interface Family {
  /** As in `config.json`'s `architectures`. */
  readonly architectures: readonly string[];
  /**
   * @param architecture the one of `architectures` that the config names
   * @throws EvaluatorError naming every key of the config that is missing, wrong or not supported.
   */
  build(config: unknown, architecture: string, options: BuildOptions): BuiltModel;
}
