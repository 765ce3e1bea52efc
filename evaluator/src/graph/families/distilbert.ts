/** DistilBERT (Sanh et al., 2019), as Hugging Face transformers names and computes it: BERT without types and without a pooler. */

import { z } from "zod";
import type { GraphBuilder, Value } from "../builder.ts";
import { activationNames, embedding, layerNorm, positionEmbedding } from "../layers.ts";
import { labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import type { Family } from "./family.ts";
import { buildTextEncoder, textArchitectures } from "./text-encoder.ts";

const distilbertConfig = z
  .object({
    dim: positiveInt,
    hidden_dim: positiveInt,
    n_layers: positiveInt,
    n_heads: positiveInt,
    vocab_size: positiveInt,
    max_position_embeddings: positiveInt.default(512),
    activation: z.enum(activationNames).default("gelu"),
    ...labelKeys,
  })
  .refine((config) => config.dim % config.n_heads === 0, { path: ["n_heads"], error: "must divide dim" });

type DistilbertConfig = z.infer<typeof distilbertConfig>;

/** No key of the config. */
const epsilon = 1e-12;

export const distilbert: Family = {
  architectures: textArchitectures("DistilBert"),
  build(json, architecture) {
    const config = parseConfig(distilbertConfig, json);
    return buildTextEncoder(architecture, {
      sizes: {
        hidden: config.dim,
        intermediate: config.hidden_dim,
        layers: config.n_layers,
        heads: config.n_heads,
        epsilon,
        activation: config.activation,
        vocabulary: config.vocab_size,
        maxTokens: config.max_position_embeddings,
      },
      embed: (g, ids) => embed(g, config, ids),
      layer: (index) => {
        const name = `distilbert.transformer.layer.${index}`;
        return {
          attention: {
            query: `${name}.attention.q_lin`,
            key: `${name}.attention.k_lin`,
            value: `${name}.attention.v_lin`,
            output: `${name}.attention.out_lin`,
          },
          attentionNorm: `${name}.sa_layer_norm`,
          mlp: { up: `${name}.ffn.lin1`, down: `${name}.ffn.lin2` },
          mlpNorm: `${name}.output_layer_norm`,
        };
      },
      classifier: { dense: "pre_classifier", activation: "relu", output: "classifier", labels: labelCount(config) },
      predictor: {
        dense: "vocab_transform",
        activation: config.activation,
        norm: "vocab_layer_norm",
        output: "vocab_projector",
      },
    });
  },
};

function embed(g: GraphBuilder, config: DistilbertConfig, ids: Value): Value {
  const { dim: hidden, max_position_embeddings: rows } = config;
  const name = "distilbert.embeddings";
  const words = embedding(g, ids, `${name}.word_embeddings`, config.vocab_size, hidden);
  const places = positionEmbedding(g, ids, `${name}.position_embeddings`, rows, hidden);
  return layerNorm(g, g.op("Add", [words, places]), `${name}.LayerNorm`, hidden, epsilon);
}
