/** GPT-2 (Radford et al., 2019): learned positions, layer norms before each part, weights that lie as [in, out]. */

import { z } from "zod";
import { gather, lookBackBias, splitHeads } from "../attention.ts";
import { int } from "../attributes.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { type CausalReading, causalReading } from "../causal-reading.ts";
import { activate, activationNames, embedding, lastToken, layerNorm, linear } from "../layers.ts";
import { labelCount, labelKeys, parseConfig, positiveInt } from "./config.ts";
import { type BuildOptions, type BuiltModel, type Family, inputNames } from "./family.ts";

const gpt2Config = z
  .object({
    vocab_size: positiveInt,
    n_positions: positiveInt,
    n_embd: positiveInt,
    n_layer: positiveInt,
    n_head: positiveInt,
    n_inner: positiveInt.nullish(),
    activation_function: z.enum(activationNames).default("gelu_new"),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    scale_attn_weights: z.boolean().default(true),
    scale_attn_by_inverse_layer_idx: z.boolean().default(false),
    add_cross_attention: z.literal(false).default(false),
    ...labelKeys,
  })
  .refine((config) => config.n_embd % config.n_head === 0, { path: ["n_head"], error: "must divide n_embd" });

type Gpt2Config = z.infer<typeof gpt2Config>;

export const gpt2: Family = { architectures: ["GPT2LMHeadModel", "GPT2ForSequenceClassification"], build };

function build(json: unknown, architecture: string, { cached = false }: BuildOptions): BuiltModel {
  const config = parseConfig(gpt2Config, json);
  const { n_embd: hidden, n_layer: layers, n_head: heads, vocab_size: vocabulary } = config;
  const g = new GraphBuilder(architecture);
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const reading = causalReading(g, ids, { layers, heads, features: hidden / heads }, cached);
  const states = decode(g, config, reading);
  const limits = { vocabularySize: vocabulary, maxTokens: config.n_positions };
  if (architecture === "GPT2ForSequenceClassification") {
    const labels = labelCount(config);
    const mask = g.input(inputNames.mask, "float32", ["items", "tokens"]);
    const logits = linear(g, lastToken(g, states, mask), "score", hidden, labels, { bias: false });
    return { architecture, kind: "sequence-classification", graph: g, logits, labels, ...limits };
  }
  const nextTokens = (x: Value): Value => linear(g, x, "lm_head", hidden, vocabulary, { bias: false });
  const logitsAt = (select: (x: Value) => Value): Value => nextTokens(select(states));
  const logits = nextTokens(states);
  return { architecture, kind: "causal-lm", graph: g, logits, logitsAt, cache: reading.cache, ...limits };
}

/** `[items, tokens, hidden]` of the tokens read. */
function decode(g: GraphBuilder, config: Gpt2Config, reading: CausalReading): Value {
  const { n_embd: hidden, layer_norm_epsilon: epsilon } = config;
  const words = embedding(g, reading.ids, "transformer.wte", config.vocab_size, hidden);
  const places = embedding(g, reading.positions, "transformer.wpe", config.n_positions, hidden);
  const bias = lookBackBias(g, reading.positions, reading.seenPositions);
  let states = g.op("Add", [words, places]);
  for (let layer = 0; layer < config.n_layer; layer++) {
    const name = `transformer.h.${layer}`;
    const normed = layerNorm(g, states, `${name}.ln_1`, hidden, epsilon);
    const attended = g.op("Add", [states, selfAttention(g, config, reading, normed, layer, bias)]);
    const between = layerNorm(g, attended, `${name}.ln_2`, hidden, epsilon);
    states = g.op("Add", [attended, feedForward(g, config, between, `${name}.mlp`)]);
  }
  return layerNorm(g, states, "transformer.ln_f", hidden, epsilon);
}

function selfAttention(
  g: GraphBuilder,
  config: Gpt2Config,
  reading: CausalReading,
  x: Value,
  layer: number,
  bias: Value,
): Value {
  const { n_embd: hidden, n_head: heads } = config;
  const headFeatures = hidden / heads;
  const name = `transformer.h.${layer}.attn`;
  const fused = conv1d(g, x, `${name}.c_attn`, hidden, 3 * hidden);
  const [query, key, value] = g
    .ops("Split", [fused], 3, { axis: int(-1), num_outputs: int(3) })
    .map((part) => splitHeads(g, part, heads, headFeatures)) as [Value, Value, Value];
  const byWidth = config.scale_attn_weights ? 1 / Math.sqrt(headFeatures) : 1;
  const scale = config.scale_attn_by_inverse_layer_idx ? byWidth / (layer + 1) : byWidth;
  const seen = reading.seen(layer, { key, value });
  const gathered = gather(g, { query, ...seen }, bias, { heads, headFeatures, scale });
  return conv1d(g, gathered, `${name}.c_proj`, hidden, hidden);
}

function feedForward(g: GraphBuilder, config: Gpt2Config, x: Value, name: string): Value {
  const { n_embd: hidden } = config;
  const inner = config.n_inner ?? 4 * hidden;
  const up = activate(g, conv1d(g, x, `${name}.c_fc`, hidden, inner), config.activation_function);
  return conv1d(g, up, `${name}.c_proj`, inner, hidden);
}

/** `x W + b`: GPT-2 stores its weights `[inputs, outputs]`. */
function conv1d(g: GraphBuilder, x: Value, name: string, inputs: number, outputs: number): Value {
  const product = g.op("MatMul", [x, g.weight(`${name}.weight`, [inputs, outputs])]);
  return g.op("Add", [product, g.weight(`${name}.bias`, [outputs])]);
}
