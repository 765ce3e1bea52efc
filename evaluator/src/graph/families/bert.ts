/** BERT (Devlin et al., 2018), as Hugging Face transformers names and computes it. */

import { z } from "zod";
import type { GraphBuilder, Value } from "../builder.ts";
import { type Activation, activationNames, embedding, layerNorm, positionEmbedding } from "../layers.ts";
import { headsDivide, labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import { type Family, inputNames } from "./family.ts";
import { buildTextEncoder, type LayerNames, type TextEncoderSizes, textArchitectures } from "./text-encoder.ts";

/** The config of BERT and of the models that kept its keys. */
export interface BertConfig {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  readonly hidden_act: Activation;
  readonly layer_norm_eps: number;
  readonly pad_token_id?: number | null | undefined;
  readonly id2label?: object | undefined;
  readonly num_labels?: number | undefined;
}

const bertConfig = z
  .object({
    hidden_size: positiveInt,
    num_hidden_layers: positiveInt,
    num_attention_heads: positiveInt,
    intermediate_size: positiveInt,
    vocab_size: positiveInt,
    max_position_embeddings: positiveInt.default(512),
    type_vocab_size: positiveInt.default(2),
    hidden_act: z.enum(activationNames).default("gelu"),
    layer_norm_eps: z.number().positive().default(1e-12),
    pad_token_id: z.number().int().nullish(),
    position_embedding_type: z.literal("absolute").default("absolute"),
    is_decoder: z.literal(false).default(false),
    ...labelKeys,
  })
  .superRefine(headsDivide);

/** @throws EvaluatorError with one line per wrong key. */
export function parseBertConfig(json: unknown): BertConfig {
  return parseConfig(bertConfig, json);
}

export const bert: Family = {
  architectures: textArchitectures("Bert"),
  build(json, architecture) {
    const config = parseBertConfig(json);
    return buildTextEncoder(architecture, {
      sizes: bertSizes(config),
      embed: (g, ids) => embed(g, config, ids),
      layer: (index) => bertLayer("bert", index),
      classifier: {
        dense: "bert.pooler.dense",
        activation: "tanh",
        output: "classifier",
        labels: labelCount(config),
      },
      predictor: {
        dense: "cls.predictions.transform.dense",
        activation: config.hidden_act,
        norm: "cls.predictions.transform.LayerNorm",
        output: "cls.predictions.decoder",
      },
    });
  },
};

export function bertSizes(config: BertConfig): TextEncoderSizes {
  return {
    hidden: config.hidden_size,
    intermediate: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    epsilon: config.layer_norm_eps,
    activation: config.hidden_act,
    vocabulary: config.vocab_size,
    maxTokens: config.max_position_embeddings,
  };
}

export function bertLayer(model: string, index: number): LayerNames {
  const name = `${model}.encoder.layer.${index}`;
  return {
    attention: {
      query: `${name}.attention.self.query`,
      key: `${name}.attention.self.key`,
      value: `${name}.attention.self.value`,
      output: `${name}.attention.output.dense`,
    },
    attentionNorm: `${name}.attention.output.LayerNorm`,
    mlp: { up: `${name}.intermediate.dense`, down: `${name}.output.dense` },
    mlpNorm: `${name}.output.LayerNorm`,
  };
}

function embed(g: GraphBuilder, config: BertConfig, ids: Value): Value {
  const { hidden_size: hidden, max_position_embeddings: rows } = config;
  const name = "bert.embeddings";
  const types = g.input(inputNames.types, "int32", ["items", "tokens"]);
  const words = embedding(g, ids, `${name}.word_embeddings`, config.vocab_size, hidden);
  const segments = embedding(g, types, `${name}.token_type_embeddings`, config.type_vocab_size, hidden);
  const places = positionEmbedding(g, ids, `${name}.position_embeddings`, rows, hidden);
  const sum = g.op("Add", [g.op("Add", [words, segments]), places]);
  return layerNorm(g, sum, `${name}.LayerNorm`, hidden, config.layer_norm_eps);
}
