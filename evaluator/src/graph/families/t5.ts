/**
 * T5 (Raffel et al., 2020), its version 1.1, FLAN-T5 and mT5, as Hugging Face transformers names and computes them: an encoder and a decoder
 * with the norm before each layer, relative positions in place of absolute ones, attention whose scores are not scaled, and no biases.
 */

import { z } from "zod";
import { gather, lookBackBias, paddingBias, splitHeads } from "../attention.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { causalReading, type KeysAndValues, keyValueCache } from "../causal-reading.ts";
import {
  type Activation,
  activationNames,
  embedding,
  gatedMlp,
  linear,
  type MlpSizes,
  mlp,
  positions,
  rmsNorm,
  tokenCount,
} from "../layers.ts";
import { relativeBias } from "../relative-positions.ts";
import { parseConfig, positiveInt } from "./config.ts";
import { type Family, inputNames } from "./family.ts";

const mt5 = "MT5ForConditionalGeneration";

const t5Config = z
  .object({
    vocab_size: positiveInt,
    d_model: positiveInt,
    d_kv: positiveInt,
    d_ff: positiveInt,
    num_layers: positiveInt,
    num_decoder_layers: positiveInt.nullish(),
    num_heads: positiveInt,
    relative_attention_num_buckets: positiveInt.min(4).default(32),
    relative_attention_max_distance: positiveInt.max(4096).default(128),
    layer_norm_epsilon: z.number().positive().default(1e-6),
    feed_forward_proj: z
      .enum([...activationNames, ...activationNames.map((name) => `gated-${name}` as const)])
      .optional(),
    tie_word_embeddings: z.boolean().default(true),
    scale_decoder_outputs: z.boolean().optional(),
    decoder_start_token_id: z.number().int().nonnegative().nullish(),
    pad_token_id: z.number().int().nonnegative().nullish(),
  })
  .refine((config) => config.relative_attention_max_distance > config.relative_attention_num_buckets / 2, {
    path: ["relative_attention_max_distance"],
    error: "must be more than half of relative_attention_num_buckets",
  });

type T5Config = z.infer<typeof t5Config>;

interface Sizes extends MlpSizes {
  readonly heads: number;
  readonly headFeatures: number;
  readonly epsilon: number;
  readonly activation: Activation;
  readonly gated: boolean;
}

export const t5: Family = {
  architectures: ["T5ForConditionalGeneration", mt5],
  build(json, architecture, { cached = false }) {
    const config = parseConfig(t5Config, json);
    const { d_model: hidden, vocab_size: vocabulary } = config;
    const sizes = sizesOf(config, architecture);
    const g = new GraphBuilder(architecture);
    const encoded = encode(g, config, sizes, cached);

    const layers = config.num_decoder_layers ?? config.num_layers;
    const cacheSizes = { layers, heads: sizes.heads, features: sizes.headFeatures };
    const decoderIds = g.input(inputNames.decoderIds, "int32", ["items", "targets"]);
    const reading = causalReading(g, decoderIds, cacheSizes, cached);
    // The text's keys and values are cached too: the runs after the first are fed no token of it, and so encode nothing.
    const cross = cached ? keyValueCache(g, "cross_", cacheSizes) : undefined;
    const places = { queries: reading.positions, keys: reading.seenPositions };
    const seen = lookBackBias(g, places.queries, places.keys);
    const bias = g.op("Add", [positionBias(g, config, "decoder", places), seen]);
    const crossBias = paddingBias(g, encoded.mask);
    let states = embedding(g, decoderIds, "shared", vocabulary, hidden);
    for (let i = 0; i < layers; i++) {
      const name = `decoder.block.${i}.layer`;
      const own = (read: KeysAndValues): KeysAndValues => reading.seen(i, read);
      const others = (read: KeysAndValues): KeysAndValues => cross?.extend(i, read) ?? read;
      states = attend(g, sizes, `${name}.0`, "SelfAttention", states, { seen: own, bias });
      states = attend(g, sizes, `${name}.1`, "EncDecAttention", states, {
        of: encoded.states,
        seen: others,
        bias: crossBias,
      });
      states = feedForward(g, sizes, `${name}.2`, states);
    }
    const decoded = norm(g, sizes, "decoder.final_layer_norm", states);
    const scaled = isScaled(config, architecture) ? g.op("Mul", [decoded, g.floats([], [hidden ** -0.5])]) : decoded;
    const nextTokens = (x: Value): Value => linear(g, x, "lm_head", hidden, vocabulary, { bias: false });
    return {
      architecture,
      kind: "seq2seq-lm",
      graph: g,
      logits: nextTokens(scaled),
      logitsAt: (select) => nextTokens(select(scaled)),
      cache: [...reading.cache, ...(cross?.slots ?? [])],
      vocabularySize: vocabulary,
      decoderStart: config.decoder_start_token_id ?? config.pad_token_id ?? 0,
    };
  },
};

/** The states of the text's tokens `[items, tokens, hidden]`, and its mask. */
function encode(
  g: GraphBuilder,
  config: T5Config,
  sizes: Sizes,
  cached: boolean,
): { readonly states: Value; readonly mask: Value } {
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const mask = g.input(inputNames.mask, "float32", ["items", cached ? "text" : "tokens"]);
  const read = cached ? g.op("Slice", [mask, g.int64s(0), tokenCount(g, ids), g.int64s(1)]) : mask;
  const places = positions(g, ids);
  const position = positionBias(g, config, "encoder", { queries: places, keys: places });
  const bias = g.op("Add", [position, paddingBias(g, read)]);
  let states = embedding(g, ids, "shared", config.vocab_size, config.d_model);
  for (let i = 0; i < config.num_layers; i++) {
    const name = `encoder.block.${i}.layer`;
    states = attend(g, sizes, `${name}.0`, "SelfAttention", states, { bias });
    states = feedForward(g, sizes, `${name}.1`, states);
  }
  return { states: norm(g, sizes, "encoder.final_layer_norm", states), mask };
}

function sizesOf(config: T5Config, architecture: string): Sizes {
  const text = config.feed_forward_proj ?? (architecture === mt5 ? "gated-gelu" : "relu");
  // What T5 calls its gated gelu is the approximate one.
  const activation = text === "gated-gelu" ? "gelu_new" : (text.replace("gated-", "") as Activation);
  return {
    hidden: config.d_model,
    intermediate: config.d_ff,
    heads: config.num_heads,
    headFeatures: config.d_kv,
    epsilon: config.layer_norm_epsilon,
    activation,
    gated: text.startsWith("gated-"),
  };
}

/**
 * Whether the decoder's output is scaled before the output layer: in the first T5, whose output layer is the embedding table. Its successors
 * untied both, which their configs say by the first key; transformers 5 took to tying by what is stored, and writes the second one.
 */
function isScaled(config: T5Config, architecture: string): boolean {
  return architecture !== mt5 && (config.scale_decoder_outputs ?? config.tie_word_embeddings);
}

/** All layers of a stack share the first one's table: `[heads, q, k]`. */
function positionBias(
  g: GraphBuilder,
  config: T5Config,
  stack: "encoder" | "decoder",
  places: { readonly queries: Value; readonly keys: Value },
): Value {
  const buckets = {
    count: config.relative_attention_num_buckets,
    maxDistance: config.relative_attention_max_distance,
    bidirectional: stack === "encoder",
  };
  const name = `${stack}.block.0.layer.0.SelfAttention.relative_attention_bias`;
  return relativeBias(g, places, name, buckets, config.num_heads);
}

const norm = (g: GraphBuilder, { hidden, epsilon }: Sizes, name: string, x: Value): Value =>
  rmsNorm(g, x, g.weight(`${name}.weight`, [hidden]), epsilon);

interface Attended {
  /** What keys and values are made of; the states themselves by default. */
  readonly of?: Value;
  /** What is looked at, for what is made in this run. */
  readonly seen?: (read: KeysAndValues) => KeysAndValues;
  readonly bias: Value;
}

function attend(
  g: GraphBuilder,
  sizes: Sizes,
  name: string,
  module: "SelfAttention" | "EncDecAttention",
  states: Value,
  { of, seen = (read) => read, bias }: Attended,
): Value {
  const { hidden, heads, headFeatures } = sizes;
  const queries = norm(g, sizes, `${name}.layer_norm`, states);
  const project = (x: Value, part: "q" | "k" | "v"): Value => {
    const product = linear(g, x, `${name}.${module}.${part}`, hidden, heads * headFeatures, { bias: false });
    return splitHeads(g, product, heads, headFeatures);
  };
  const keys = of ?? queries;
  const projected = { query: project(queries, "q"), ...seen({ key: project(keys, "k"), value: project(keys, "v") }) };
  const gathered = gather(g, projected, bias, { heads, headFeatures, scale: 1 });
  return g.op("Add", [
    states,
    linear(g, gathered, `${name}.${module}.o`, heads * headFeatures, hidden, { bias: false }),
  ]);
}

function feedForward(g: GraphBuilder, sizes: Sizes, name: string, states: Value): Value {
  const x = norm(g, sizes, `${name}.layer_norm`, states);
  const dense = `${name}.DenseReluDense`;
  const out = sizes.gated
    ? gatedMlp(g, x, { gate: `${dense}.wi_0`, up: `${dense}.wi_1`, down: `${dense}.wo` }, sizes, sizes.activation)
    : mlp(g, x, { up: `${dense}.wi`, down: `${dense}.wo` }, sizes, sizes.activation, { bias: false });
  return g.op("Add", [states, out]);
}
