/**
 * RoBERTa (Liu et al., 2019), and XLM-RoBERTa and CamemBERT, which are RoBERTa with other vocabularies, as Hugging Face transformers names and
 * computes them: BERT's layers under other heads, with positions counted from the padding token's id and one type for all tokens.
 */

import { TensorProto_DataType as DataType } from "onnx-buf";
import { EvaluatorError } from "../../errors.ts";
import { int } from "../attributes.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { embedding, layerNorm } from "../layers.ts";
import { type BertConfig, bertLayer, bertSizes, parseBertConfig } from "./bert.ts";
import { labelCount } from "./config.ts";
import type { Family } from "./family.ts";
import { buildTextEncoder, textArchitectures } from "./text-encoder.ts";

/** transformers' default when the config names no padding token. */
const defaultPadding = 1;

export const roberta: Family = {
  architectures: textArchitectures("Roberta", "XLMRoberta", "Camembert"),
  build(json, architecture) {
    const config = parseBertConfig(json);
    const padding = config.pad_token_id ?? defaultPadding;
    const maxTokens = config.max_position_embeddings - padding - 1;
    if (padding < 0 || maxTokens < 1) {
      throw new EvaluatorError(
        "config.json: pad_token_id: must be at least 0 and less than max_position_embeddings - 1, because positions are counted from it",
      );
    }
    return buildTextEncoder(architecture, {
      sizes: { ...bertSizes(config), maxTokens },
      embed: (g, ids) => embed(g, config, padding, ids),
      layer: (index) => bertLayer("roberta", index),
      classifier: {
        dense: "classifier.dense",
        activation: "tanh",
        output: "classifier.out_proj",
        labels: labelCount(config),
      },
      predictor: {
        dense: "lm_head.dense",
        activation: "gelu",
        norm: "lm_head.layer_norm",
        output: "lm_head.decoder",
      },
    });
  },
};

function embed(g: GraphBuilder, config: BertConfig, padding: number, ids: Value): Value {
  const { hidden_size: hidden, max_position_embeddings: rows, type_vocab_size: types } = config;
  const name = "roberta.embeddings";
  const words = embedding(g, ids, `${name}.word_embeddings`, config.vocab_size, hidden);
  const segments = g.weight(`${name}.token_type_embeddings.weight`, [types, hidden]);
  const segment = g.op("Slice", [segments, g.int64s(0), g.int64s(1), g.int64s(0)]);
  const places = embedding(g, positions(g, ids, padding), `${name}.position_embeddings`, rows, hidden);
  const sum = g.op("Add", [g.op("Add", [words, segment]), places]);
  return layerNorm(g, sum, `${name}.LayerNorm`, hidden, config.layer_norm_eps);
}

/** int64 `[items, tokens]`: padding + 1, padding + 2, ... for what is not the padding token, and `padding` for what is, even inside a text. */
function positions(g: GraphBuilder, ids: Value, padding: number): Value {
  const int64 = { to: int(DataType.INT64) };
  const isPadding = g.op("Equal", [g.op("Cast", [ids], int64), g.int64(padding)]);
  const counts = g.op("Cast", [g.op("Not", [isPadding])], int64);
  const place = g.op("Mul", [g.op("CumSum", [counts, g.int64(1)]), counts]);
  return g.op("Add", [place, g.int64(padding)]);
}
