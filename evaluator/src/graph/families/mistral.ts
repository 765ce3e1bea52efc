/** Mistral (Jiang et al., 2023): Llama where every layer may see a window of the text only. */

import { z } from "zod";
import { parseConfig, positiveInt } from "./config.ts";
import { buildDecoder } from "./decoder.ts";
import { decoderConfig } from "./decoder-config.ts";
import type { Family } from "./family.ts";

const mistralConfig = decoderConfig({ keyHeads: 8 }).and(
  z.object({ sliding_window: positiveInt.nullable().default(4096) }),
);

export const mistral: Family = {
  architectures: ["MistralForCausalLM", "MistralForSequenceClassification"],
  build(json, architecture, options) {
    const config = parseConfig(mistralConfig, json);
    return buildDecoder(architecture, config, options, { window: () => config.sliding_window ?? undefined });
  },
};
