/**
 * What BERT and the encoders after it share: embeddings, a stack of layers with the norm after each residual sum (Vaswani et al., 2017;
 * Devlin et al., 2018), and one of two heads. They differ in the names of their tensors, in their embeddings and in their activations.
 */

import { attention, paddingBias } from "../attention.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { type Activation, activate, firstToken, layerNorm, linear, type MlpSizes, mlp, oneToken } from "../layers.ts";
import { type BuiltModel, inputNames } from "./family.ts";

export interface LayerNames {
  readonly attention: {
    readonly query: string;
    readonly key: string;
    readonly value: string;
    readonly output: string;
  };
  readonly attentionNorm: string;
  readonly mlp: { readonly up: string; readonly down: string };
  readonly mlpNorm: string;
}

export interface TextEncoderSizes extends MlpSizes {
  readonly layers: number;
  readonly heads: number;
  /** Of every layer norm. */
  readonly epsilon: number;
  /** Of the layers. */
  readonly activation: Activation;
  readonly vocabulary: number;
  readonly maxTokens: number;
}

/** `output(activation(dense(first token)))`: `[items, labels]`. */
export interface Classifier {
  readonly dense: string;
  readonly activation: "relu" | "tanh";
  readonly output: string;
  readonly labels: number;
}

/** `output(norm(activation(dense(x))))`: `[items, tokens, vocabulary]`. */
export interface Predictor {
  readonly dense: string;
  readonly activation: Activation;
  readonly norm: string;
  readonly output: string;
}

export interface TextEncoder {
  readonly sizes: TextEncoderSizes;
  /** int32 ids `[items, tokens]` -> `[items, tokens, hidden]`, normalised. */
  embed(g: GraphBuilder, ids: Value): Value;
  layer(index: number): LayerNames;
  readonly classifier: Classifier;
  readonly predictor: Predictor;
}

/** The architectures that begin with each of these words: one with a classifier, and one with a predictor of masked tokens. */
export function textArchitectures(...names: readonly string[]): readonly string[] {
  return names.flatMap((name) => [`${name}ForSequenceClassification`, `${name}ForMaskedLM`]);
}

/** Builds one of {@link textArchitectures}. */
export function buildTextEncoder(architecture: string, encoder: TextEncoder): BuiltModel {
  const { sizes, classifier } = encoder;
  const g = new GraphBuilder(architecture);
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const bias = paddingBias(g, g.input(inputNames.mask, "float32", ["items", "tokens"]));
  const predicts = architecture.endsWith("ForMaskedLM");
  let states = encoder.embed(g, ids);
  for (let i = 0; i < sizes.layers; i++) {
    // Only the first token is classified, so the last layer computes no other token's output.
    const queries = predicts || i < sizes.layers - 1 ? states : firstToken(g, states);
    states = layer(g, encoder.layer(i), sizes, queries, states, bias);
  }
  const common = { architecture, graph: g, vocabularySize: sizes.vocabulary, maxTokens: sizes.maxTokens };
  if (predicts) {
    const logitsAt = (select: (x: Value) => Value): Value => predict(g, select(states), encoder.predictor, sizes);
    return { ...common, kind: "masked-lm", logits: predict(g, states, encoder.predictor, sizes), logitsAt };
  }
  const logits = classify(g, states, classifier, sizes);
  return { ...common, kind: "sequence-classification", logits, labels: classifier.labels };
}

function layer(
  g: GraphBuilder,
  names: LayerNames,
  sizes: TextEncoderSizes,
  queries: Value,
  states: Value,
  bias: Value,
): Value {
  const { hidden, heads, epsilon, activation } = sizes;
  const gathered = attention(g, { names: names.attention, hidden, heads }, queries, states, bias);
  const middle = layerNorm(g, g.op("Add", [gathered, queries]), names.attentionNorm, hidden, epsilon);
  const out = g.op("Add", [mlp(g, middle, names.mlp, sizes, activation), middle]);
  return layerNorm(g, out, names.mlpNorm, hidden, epsilon);
}

function classify(g: GraphBuilder, states: Value, head: Classifier, { hidden }: TextEncoderSizes): Value {
  const dense = linear(g, oneToken(g, states), head.dense, hidden, hidden);
  const pooled = g.op(head.activation === "relu" ? "Relu" : "Tanh", [dense]);
  return linear(g, pooled, head.output, hidden, head.labels);
}

function predict(g: GraphBuilder, states: Value, head: Predictor, sizes: TextEncoderSizes): Value {
  const { hidden, epsilon, vocabulary } = sizes;
  const dense = activate(g, linear(g, states, head.dense, hidden, hidden), head.activation);
  return linear(g, layerNorm(g, dense, head.norm, hidden, epsilon), head.output, hidden, vocabulary);
}
