/** Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases of queries, keys and values; upper layers may see a window of the text only. */

import { parseConfig } from "./config.ts";
import { buildDecoder } from "./decoder.ts";
import { decoderConfig } from "./decoder-config.ts";
import type { Family } from "./family.ts";
import { qwenWindowConfig, qwenWindows } from "./qwen-windows.ts";

const qwen2Config = decoderConfig({ keyHeads: 32 }).and(qwenWindowConfig);

export const qwen2: Family = {
  architectures: ["Qwen2ForCausalLM", "Qwen2ForSequenceClassification"],
  build(json, architecture, options) {
    const config = parseConfig(qwen2Config, json);
    return buildDecoder(architecture, config, options, {
      biases: { queryKeyValue: true },
      window: qwenWindows(config),
    });
  },
};
