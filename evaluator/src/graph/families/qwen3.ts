/** Qwen3 (Yang et al., 2025): Qwen2 with norms of each head's queries and keys in the place of biases. */

import { z } from "zod";
import { parseConfig } from "./config.ts";
import { buildDecoder } from "./decoder.ts";
import { decoderConfig } from "./decoder-config.ts";
import type { Family } from "./family.ts";
import { qwenWindowConfig, qwenWindows } from "./qwen-windows.ts";

const qwen3Config = decoderConfig({ keyHeads: 32, headFeatures: 128 })
  .and(qwenWindowConfig)
  .and(z.object({ attention_bias: z.boolean().default(false) }));

export const qwen3: Family = {
  architectures: ["Qwen3ForCausalLM", "Qwen3ForSequenceClassification"],
  build(json, architecture, options) {
    const config = parseConfig(qwen3Config, json);
    const { attention_bias: bias } = config;
    return buildDecoder(architecture, config, options, {
      biases: { queryKeyValue: bias, output: bias },
      headNorms: true,
      window: qwenWindows(config),
    });
  },
};
