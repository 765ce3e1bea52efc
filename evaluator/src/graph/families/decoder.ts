/**
 * The decoder that Llama and its kin share: RMS norms, rotary positions, queries that share keys, gated feed-forward layers. What a family
 * does otherwise is said by its traits. Padding lies on the right, where no token that counts sees it, so that no mask is read.
 */

import { gather, lookBackBias, splitHeads } from "../attention.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { type CausalReading, causalReading } from "../causal-reading.ts";
import { capSoftly, embedding, gatedMlp, lastToken, linear, rmsNorm } from "../layers.ts";
import { type RotaryTables, rotaryTables, rotate } from "../rotary.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { type BuildOptions, type BuiltModel, inputNames } from "./family.ts";

/** Names of the norms around a part of a layer, below the layer's own name. */
export interface PartNorms {
  readonly before: string;
  /** Of what the part gives, before it is added. */
  readonly after?: string;
}

export interface DecoderTraits {
  /** Which projections have biases; none by default. */
  readonly biases?: { readonly queryKeyValue?: boolean; readonly output?: boolean; readonly mlp?: boolean };
  readonly norms?: { readonly attention: PartNorms; readonly mlp: PartNorms };
  /** What is added to a norm's weight to scale by; nothing by default. */
  readonly normOffset?: number;
  /** Whether each head's queries and keys are normed before they turn. */
  readonly headNorms?: boolean;
  /** How many tokens a layer sees, the token itself included; all that came before by default. */
  readonly window?: (layer: number) => number | undefined;
  /** What scores are multiplied by; `1 / sqrt(headFeatures)` by default. */
  readonly scoreScale?: number;
  /** Scores `s` become `cap * tanh(s / cap)`. */
  readonly scoreCap?: number | undefined;
  readonly logitCap?: number | undefined;
  readonly embeddingScale?: number;
}

const preNorms = { attention: { before: "input_layernorm" }, mlp: { before: "post_attention_layernorm" } };

/** All that the layers of one model under construction share. */
interface Decoder {
  readonly g: GraphBuilder;
  readonly config: DecoderConfig;
  readonly traits: DecoderTraits;
  readonly reading: CausalReading;
  readonly rotary: RotaryTables;
}

/** Architectures that end in a classifier of the last token are named so; all others are language models. */
const classifier = /ForSequenceClassification$/;

export function buildDecoder(
  architecture: string,
  config: DecoderConfig,
  { cached = false }: BuildOptions,
  traits: DecoderTraits,
): BuiltModel {
  const g = new GraphBuilder(architecture);
  const ids = g.input(inputNames.ids, "int32", ["items", "tokens"]);
  const { layers, keyHeads, headFeatures } = config;
  const reading = causalReading(g, ids, { layers, heads: keyHeads, features: headFeatures }, cached);
  const rotary = rotaryTables(g, reading.positions, config.frequencies);
  const decoder = { g, config, traits, reading, rotary };
  const limits = { vocabularySize: config.vocabulary, maxTokens: config.maxTokens };
  const states = decode(decoder);
  if (classifier.test(architecture)) {
    const mask = g.input(inputNames.mask, "float32", ["items", "tokens"]);
    const logits = linear(g, lastToken(g, states, mask), "score", config.hidden, config.labels, { bias: false });
    const { labels } = config;
    return { architecture, kind: "sequence-classification", graph: g, logits, labels, ...limits };
  }
  const logitsAt = (select: (x: Value) => Value): Value => nextTokens(decoder, select(states));
  const logits = nextTokens(decoder, states);
  return { architecture, kind: "causal-lm", graph: g, logits, logitsAt, cache: reading.cache, ...limits };
}

/** `[items, tokens, hidden]` of the tokens read. */
function decode(decoder: Decoder): Value {
  const { g, config, traits, reading } = decoder;
  const { embeddingScale, window = () => undefined } = traits;
  let states = embedding(g, reading.ids, "model.embed_tokens", config.vocabulary, config.hidden);
  if (embeddingScale !== undefined) states = g.op("Mul", [states, g.floats([], [embeddingScale])]);
  const biases = new Map<number | undefined, Value>();
  for (let layer = 0; layer < config.layers; layer++) {
    const seen = window(layer);
    const bias = biases.get(seen) ?? lookBackBias(g, reading.positions, reading.seenPositions, seen);
    biases.set(seen, bias);
    states = decoderLayer(decoder, states, layer, bias);
  }
  return norm(decoder, states, "model.norm", config.hidden);
}

function nextTokens({ g, config, traits }: Decoder, states: Value): Value {
  const logits = linear(g, states, "lm_head", config.hidden, config.vocabulary, { bias: false });
  return traits.logitCap === undefined ? logits : capSoftly(g, logits, traits.logitCap);
}

function decoderLayer(decoder: Decoder, states: Value, layer: number, bias: Value): Value {
  const { g, config, traits } = decoder;
  const { hidden, intermediate, activation } = config;
  const { norms = preNorms } = traits;
  const name = `model.layers.${layer}`;
  const names = { gate: `${name}.mlp.gate_proj`, up: `${name}.mlp.up_proj`, down: `${name}.mlp.down_proj` };
  const mlpBias = { bias: traits.biases?.mlp ?? false };

  /** `x + after(part(before(x)))`. */
  const residual = (x: Value, { before, after }: PartNorms, part: (x: Value) => Value): Value => {
    const given = part(norm(decoder, x, `${name}.${before}`, hidden));
    return g.op("Add", [x, after === undefined ? given : norm(decoder, given, `${name}.${after}`, hidden)]);
  };
  const attended = residual(states, norms.attention, (x) =>
    selfAttention(decoder, x, layer, `${name}.self_attn`, bias),
  );
  return residual(attended, norms.mlp, (x) => gatedMlp(g, x, names, { hidden, intermediate }, activation, mlpBias));
}

function selfAttention(decoder: Decoder, x: Value, layer: number, name: string, bias: Value): Value {
  const { g, config, traits, reading, rotary } = decoder;
  const { hidden, heads, keyHeads, headFeatures } = config;
  const { queryKeyValue = false, output = false } = traits.biases ?? {};

  const projected = (part: string, count: number): Value =>
    splitHeads(
      g,
      linear(g, x, `${name}.${part}_proj`, hidden, count * headFeatures, { bias: queryKeyValue }),
      count,
      headFeatures,
    );
  const turned = (part: "q" | "k", count: number): Value => {
    const split = projected(part, count);
    return rotate(g, traits.headNorms ? norm(decoder, split, `${name}.${part}_norm`, headFeatures) : split, rotary);
  };
  const query = turned("q", heads);
  const seen = reading.seen(layer, { key: turned("k", keyHeads), value: projected("v", keyHeads) });
  const gathered = gather(g, { query, ...seen }, bias, {
    heads,
    keyHeads,
    headFeatures,
    softcap: traits.scoreCap,
    ...(traits.scoreScale === undefined ? {} : { scale: traits.scoreScale }),
  });
  return linear(g, gathered, `${name}.o_proj`, heads * headFeatures, hidden, { bias: output });
}

function norm({ g, config, traits }: Decoder, x: Value, name: string, features: number): Value {
  const weight = g.weight(`${name}.weight`, [features]);
  const { normOffset } = traits;
  const scale = normOffset === undefined ? weight : g.op("Add", [weight, g.floats([], [normOffset])]);
  return rmsNorm(g, x, scale, config.epsilon);
}
