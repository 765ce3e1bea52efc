/** Reading a model's rotary frequencies off `config.json`: `rope_parameters` of transformers 5, or `rope_theta` and `rope_scaling` before it. */

import { z } from "zod";
import { rotaryFrequencies } from "../rotary.ts";
import { positiveInt } from "./config.ts";

const positive: z.ZodNumber = z.number().positive();

/** How the frequencies that a model was first trained with were scaled for longer texts. */
type Scaling =
  | { readonly rope_type: "default" }
  | { readonly rope_type: "linear"; readonly factor: number }
  | Llama3Scaling;

interface Llama3Scaling {
  readonly rope_type: "llama3";
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings?: number | undefined;
}

const scaling = z.discriminatedUnion(
  "rope_type",
  [
    z.object({ rope_type: z.literal("default") }),
    z.object({ rope_type: z.literal("linear"), factor: positive }),
    z.object({
      rope_type: z.literal("llama3"),
      factor: positive,
      low_freq_factor: positive,
      high_freq_factor: positive,
      original_max_position_embeddings: positiveInt.optional(),
    }),
  ],
  {
    error: ({ code, input }) =>
      code === "invalid_union" ? `${typeOf(input)} cannot be run (supported: default, linear, llama3)` : undefined,
  },
);

const typeOf = (input: unknown): unknown => (input as { readonly rope_type?: unknown }).rope_type;

/** Some models, none of these families, have parameters by kind of layer. */
const byLayer = z.never({ error: "parameters by kind of layer cannot be run" }).optional();

const common = z.object({
  rope_theta: positive.optional(),
  partial_rotary_factor: z.literal(1).optional(),
  full_attention: byLayer,
  sliding_attention: byLayer,
});

/** Older files say `type` where newer ones say `rope_type`; neither means that nothing is scaled. */
const namedScaling = z.preprocess((value) => {
  if (typeof value !== "object" || value === null) return value;
  const { rope_type, type } = value as { rope_type?: unknown; type?: unknown };
  return { ...value, rope_type: rope_type ?? type ?? "default" };
}, scaling.and(common));

export interface RopeConfig {
  readonly rope_theta: number;
  readonly scaling: Scaling;
}

/** The keys that say how positions turn queries and keys. */
export const ropeConfig: z.ZodType<RopeConfig> = z
  .object({
    rope_parameters: namedScaling.nullish(),
    rope_scaling: namedScaling.nullish(),
    rope_theta: positive.nullish(),
    partial_rotary_factor: z.literal(1).nullish(),
  })
  .transform(({ rope_parameters, rope_scaling, rope_theta }) => {
    const given = rope_scaling ?? rope_parameters;
    return {
      rope_theta: given?.rope_theta ?? rope_theta ?? defaultTheta,
      scaling: given ?? { rope_type: "default" },
    };
  });

const defaultTheta = 10_000;

/**
 * Radians per token of each pair of features, `[headFeatures / 2]`.
 * @param maxTokens where a `llama3` scaling does not say how long the texts were before it
 */
export function frequenciesOf(
  { rope_theta, scaling }: RopeConfig,
  headFeatures: number,
  maxTokens: number,
): Float32Array {
  const plain = rotaryFrequencies(headFeatures, rope_theta);
  switch (scaling.rope_type) {
    case "default":
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor);
    case "llama3":
      return plain.map((frequency) => llama3Frequency(frequency, scaling, maxTokens));
  }
}

/**
 * Slow turns are scaled, fast ones kept, and those between go from one to the other with the number of turns in a text. Rounded to float32 at each
 * step, as models were trained with: a last bit grows with the position.
 */
function llama3Frequency(frequency: number, scaling: Llama3Scaling, maxTokens: number): number {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const { fround } = Math;
  const tokens = scaling.original_max_position_embeddings ?? maxTokens;
  const tokensPerTurn = fround(fround(2 * Math.PI) / frequency);
  const scaled = fround(frequency / factor);
  if (tokensPerTurn > tokens / low) return scaled;
  if (tokensPerTurn < tokens / high) return frequency;
  const kept = fround(fround(fround(tokens / tokensPerTurn) - low) / (high - low));
  return fround(fround(fround(fround(1 - kept) * frequency) / factor) + fround(kept * frequency));
}
