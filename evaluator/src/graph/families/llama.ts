/** Llama 1 to 3 (Touvron et al., 2023; Grattafiori et al., 2024). */

import { z } from "zod";
import { parseConfig } from "./config.ts";
import { buildDecoder } from "./decoder.ts";
import { decoderConfig } from "./decoder-config.ts";
import type { Family } from "./family.ts";

const llamaConfig = decoderConfig().and(
  z.object({ attention_bias: z.boolean().default(false), mlp_bias: z.boolean().default(false) }),
);

export const llama: Family = {
  architectures: ["LlamaForCausalLM", "LlamaForSequenceClassification"],
  build(json, architecture, options) {
    const config = parseConfig(llamaConfig, json);
    const { attention_bias: attention, mlp_bias: mlp } = config;
    return buildDecoder(architecture, config, options, {
      biases: { queryKeyValue: attention, output: attention, mlp },
    });
  },
};
