/** BERT (Devlin et al., 2018) with a classification head, as Hugging Face transformers' BertForSequenceClassification names and computes it. */

import { z } from "zod";
import { attention, paddingBias } from "../attention.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import {
  activationNames,
  embedding,
  firstToken,
  layerNorm,
  linear,
  mlp,
  oneToken,
  positionEmbedding,
} from "../layers.ts";
import { labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import { type BuiltModel, type Family, inputNames } from "./family.ts";

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
    position_embedding_type: z.literal("absolute").default("absolute"),
    is_decoder: z.literal(false).default(false),
    ...labelKeys,
  })
  .refine((config) => config.hidden_size % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    error: "must divide hidden_size",
  });

type BertConfig = z.infer<typeof bertConfig>;

export const bert: Family = { architectures: ["BertForSequenceClassification"], build };

function build(json: unknown, architecture: string): BuiltModel {
  const config = parseConfig(bertConfig, json);
  const labels = labelCount(config);
  const { hidden_size: hidden } = config;
  const g = new GraphBuilder(architecture);
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const mask = g.input(inputNames.mask, "float32", ["items", "tokens"]);
  const types = g.input(inputNames.types, "int32", ["items", "tokens"]);

  const bias = paddingBias(g, mask);
  let states = embeddings(g, config, ids, types);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    // Only the first token is classified, so the last layer computes no other token's output.
    const queries = i === config.num_hidden_layers - 1 ? firstToken(g, states) : states;
    states = layer(g, config, `bert.encoder.layer.${i}`, queries, states, bias);
  }
  const pooled = g.op("Tanh", [linear(g, oneToken(g, states), "bert.pooler.dense", hidden, hidden)]);
  const logits = linear(g, pooled, "classifier", hidden, labels);
  return {
    architecture,
    kind: "sequence-classification",
    graph: g,
    logits,
    labels,
    vocabularySize: config.vocab_size,
    maxTokens: config.max_position_embeddings,
  };
}

function embeddings(g: GraphBuilder, config: BertConfig, ids: Value, types: Value): Value {
  const { hidden_size: hidden, max_position_embeddings: positions } = config;
  const words = embedding(g, ids, "bert.embeddings.word_embeddings", config.vocab_size, hidden);
  const segments = embedding(g, types, "bert.embeddings.token_type_embeddings", config.type_vocab_size, hidden);
  const places = positionEmbedding(g, ids, "bert.embeddings.position_embeddings", positions, hidden);
  const sum = g.op("Add", [g.op("Add", [words, segments]), places]);
  return layerNorm(g, sum, "bert.embeddings.LayerNorm", hidden, config.layer_norm_eps);
}

function layer(g: GraphBuilder, config: BertConfig, name: string, queries: Value, states: Value, bias: Value): Value {
  const { hidden_size: hidden, layer_norm_eps: epsilon } = config;
  const names = {
    query: `${name}.attention.self.query`,
    key: `${name}.attention.self.key`,
    value: `${name}.attention.self.value`,
    output: `${name}.attention.output.dense`,
  };
  const gathered = attention(g, { names, hidden, heads: config.num_attention_heads }, queries, states, bias);
  const attended = g.op("Add", [gathered, queries]);
  const middle = layerNorm(g, attended, `${name}.attention.output.LayerNorm`, hidden, epsilon);
  const sizes = { hidden, intermediate: config.intermediate_size };
  const dense = { up: `${name}.intermediate.dense`, down: `${name}.output.dense` };
  const out = g.op("Add", [mlp(g, middle, dense, sizes, config.hidden_act), middle]);
  return layerNorm(g, out, `${name}.output.LayerNorm`, hidden, epsilon);
}
