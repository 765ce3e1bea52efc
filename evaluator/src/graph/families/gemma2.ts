/** Gemma 2 (Gemma Team, 2024): norms on both sides of each part, soft caps of scores and logits, windows in every other layer. */

import { z } from "zod";
import { activationNames } from "../layers.ts";
import { parseConfig } from "./config.ts";
import { buildDecoder } from "./decoder.ts";
import { decoderConfig } from "./decoder-config.ts";
import type { Family } from "./family.ts";
import { layerWindows, windowConfig } from "./layer-windows.ts";

const positive = z.number().positive();

const gemma2Config = decoderConfig({ keyHeads: 4, headFeatures: 256 })
  .and(windowConfig)
  .and(
    z.object({
      hidden_activation: z.enum(activationNames).default("gelu_pytorch_tanh"),
      attention_bias: z.boolean().default(false),
      query_pre_attn_scalar: positive.default(256),
      attn_logit_softcapping: positive.nullable().default(50),
      final_logit_softcapping: positive.nullable().default(30),
      use_bidirectional_attention: z.literal(false).nullish(),
    }),
  );

export const gemma2: Family = {
  architectures: ["Gemma2ForCausalLM", "Gemma2ForSequenceClassification"],
  build(json, architecture, options) {
    const parsed = parseConfig(gemma2Config, json);
    const config = { ...parsed, activation: parsed.hidden_activation };
    const { attention_bias: bias } = config;
    return buildDecoder(architecture, config, options, {
      biases: { queryKeyValue: bias, output: bias },
      norms: {
        attention: { before: "input_layernorm", after: "post_attention_layernorm" },
        mlp: { before: "pre_feedforward_layernorm", after: "post_feedforward_layernorm" },
      },
      normOffset: 1,
      window: layerWindows(config, config.layers, (layer) => layer % 2 === 0),
      scoreScale: config.query_pre_attn_scalar ** -0.5,
      scoreCap: config.attn_logit_softcapping ?? undefined,
      logitCap: config.final_logit_softcapping ?? undefined,
      embeddingScale: config.hidden ** 0.5,
    });
  },
};
