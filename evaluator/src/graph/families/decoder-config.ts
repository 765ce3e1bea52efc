/** The keys of `config.json` that Llama and its kin share, with the names and the defaults in which they differ. */

import { z } from "zod";
import { type Activation, activationNames } from "../layers.ts";
import { labelCount, labelKeys, positiveInt } from "./config.ts";
import { frequenciesOf, ropeConfig } from "./rope-config.ts";

/** A decoder's sizes, in this package's words. */
export interface DecoderConfig {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headFeatures: number;
  readonly activation: Activation;
  /** Added to the mean square that a norm divides by. */
  readonly epsilon: number;
  readonly maxTokens: number;
  /** Radians per token of each pair of a head's features. */
  readonly frequencies: Float32Array;
  /** Number of logits where the model is a classifier. */
  readonly labels: number;
}

export interface DecoderDefaults {
  /** `hidden_size / num_attention_heads` by default. */
  readonly headFeatures?: number;
  /** `num_attention_heads` by default. */
  readonly keyHeads?: number;
}

export function decoderConfig(defaults: DecoderDefaults = {}): z.ZodType<DecoderConfig> {
  return z
    .object({
      vocab_size: positiveInt,
      hidden_size: positiveInt,
      intermediate_size: positiveInt,
      num_hidden_layers: positiveInt,
      num_attention_heads: positiveInt,
      num_key_value_heads: positiveInt.nullable().optional(),
      head_dim: positiveInt.nullish(),
      hidden_act: z.enum(activationNames).default("silu"),
      rms_norm_eps: z.number().positive().default(1e-6),
      max_position_embeddings: positiveInt,
      ...labelKeys,
    })
    .and(ropeConfig)
    .transform((config, context): DecoderConfig => {
      const { hidden_size: hidden, num_attention_heads: heads, max_position_embeddings: maxTokens } = config;
      const { num_key_value_heads: keys = defaults.keyHeads } = config;
      const keyHeads = keys ?? heads;
      const headFeatures = config.head_dim ?? defaults.headFeatures ?? hidden / heads;
      const require = (holds: boolean, path: string, message: string): void => {
        if (!holds) context.addIssue({ code: "custom", path: [path], message });
      };
      require(Number.isInteger(headFeatures), "num_attention_heads", "must divide hidden_size");
      require(headFeatures % 2 !== 1, "head_dim", "must be even, because positions turn pairs of features");
      require(heads % keyHeads === 0, "num_key_value_heads", "must divide num_attention_heads");
      return {
        vocabulary: config.vocab_size,
        hidden,
        intermediate: config.intermediate_size,
        layers: config.num_hidden_layers,
        heads,
        keyHeads,
        headFeatures,
        activation: config.hidden_act,
        epsilon: config.rms_norm_eps,
        maxTokens,
        frequencies: frequenciesOf(config, headFeatures, maxTokens),
        labels: labelCount(config),
      };
    });
}
