/** BERT (Devlin et al., 2018) with a classification head, as Hugging Face transformers' BertForSequenceClassification names and computes it. */

import { z } from "zod";
import { attention, paddingBias, type Rows } from "../attention.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import {
  activationNames,
  embedding,
  firstToken,
  firstTokenGrid,
  flatten,
  gridOf,
  layerNorm,
  linear,
  mlp,
  positionEmbedding,
} from "../layers.ts";
import { parseConfig, positiveInt } from "./config.ts";
import { type ClassifierGraph, type Family, inputNames, logitsName } from "./family.ts";

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
    id2label: z.record(z.string(), z.unknown()).optional(),
    num_labels: positiveInt.optional(),
  })
  .refine((config) => config.hidden_size % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    error: "must divide hidden_size",
  });

type BertConfig = z.infer<typeof bertConfig>;

/** transformers' default when the config names no labels. */
const defaultLabels = 2;

export const bert: Family = { architecture: "BertForSequenceClassification", build };

function build(json: unknown): ClassifierGraph {
  const config = parseConfig(bertConfig, json);
  const labels = config.id2label ? Object.keys(config.id2label).length : (config.num_labels ?? defaultLabels);
  const g = new GraphBuilder(bert.architecture);
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const mask = g.input(inputNames.mask, "float32", ["items", "tokens"]);
  const types = g.input(inputNames.types, "int32", ["items", "tokens"]);

  const grid = gridOf(g, ids);
  const bias = paddingBias(g, mask);
  let states: Rows = { rows: embeddings(g, config, ids, types, grid), grid };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    // Only the first token is classified, so the last layer computes no other token's output.
    const queries = i === config.num_hidden_layers - 1 ? firstOnly(g, states, config.hidden_size) : states;
    states = { rows: layer(g, config, `bert.encoder.layer.${i}`, queries, states, bias), grid: queries.grid };
  }
  const pooled = g.op("Tanh", [linear(g, states.rows, "bert.pooler.dense", config.hidden_size, config.hidden_size)]);
  g.output(logitsName, linear(g, pooled, "classifier", config.hidden_size, labels), "float32", ["items", labels]);
  return { graph: g.build(), labels, vocabularySize: config.vocab_size, maxTokens: config.max_position_embeddings };
}

function embeddings(g: GraphBuilder, config: BertConfig, ids: Value, types: Value, grid: Value): Value {
  const { hidden_size: hidden, max_position_embeddings: positions } = config;
  const words = embedding(g, ids, "bert.embeddings.word_embeddings", config.vocab_size, hidden);
  const segments = embedding(g, types, "bert.embeddings.token_type_embeddings", config.type_vocab_size, hidden);
  const places = positionEmbedding(g, grid, "bert.embeddings.position_embeddings", positions, hidden);
  const sum = g.op("Add", [g.op("Add", [words, segments]), places]);
  return layerNorm(g, flatten(g, sum, hidden), "bert.embeddings.LayerNorm", hidden, config.layer_norm_eps);
}

function firstOnly(g: GraphBuilder, states: Rows, hidden: number): Rows {
  return { rows: firstToken(g, states.rows, states.grid, hidden), grid: firstTokenGrid(g, states.grid) };
}

function layer(g: GraphBuilder, config: BertConfig, name: string, queries: Rows, states: Rows, bias: Value): Value {
  const { hidden_size: hidden, layer_norm_eps: epsilon } = config;
  const names = {
    query: `${name}.attention.self.query`,
    key: `${name}.attention.self.key`,
    value: `${name}.attention.self.value`,
    output: `${name}.attention.output.dense`,
  };
  const gathered = attention(g, { names, hidden, heads: config.num_attention_heads }, queries, states, bias);
  const attended = g.op("Add", [gathered, queries.rows]);
  const middle = layerNorm(g, attended, `${name}.attention.output.LayerNorm`, hidden, epsilon);
  const sizes = { hidden, intermediate: config.intermediate_size };
  const dense = { up: `${name}.intermediate.dense`, down: `${name}.output.dense` };
  const out = g.op("Add", [mlp(g, middle, dense, sizes, config.hidden_act), middle]);
  return layerNorm(g, out, `${name}.output.LayerNorm`, hidden, epsilon);
}
