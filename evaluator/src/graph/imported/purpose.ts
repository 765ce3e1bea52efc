/** What an ONNX file's model is for: by its config's architecture, or by what it reads and gives. */

import type { GraphProto, ValueInfoProto } from "onnx-buf";
import { z } from "zod";
import { labelCount, labelKeys, parseConfig, positiveInt } from "../families/config.ts";
import { type BuiltModel, inputNames, logitsName, type ModelKind } from "../families/family.ts";
import { tensorOf } from "./inputs.ts";

const configKeys = z.object({
  architectures: z.array(z.string()).default([]),
  vocab_size: positiveInt.optional(),
  max_position_embeddings: positiveInt.optional(),
  n_positions: positiveInt.optional(),
  decoder_start_token_id: z.number().int().nonnegative().optional(),
  ...labelKeys,
});

/** By the end of an architecture's name. */
const kinds: readonly (readonly [ending: RegExp, kind: ModelKind])[] = [
  [/ForSequenceClassification$/, "sequence-classification"],
  [/ForImageClassification$/, "image-classification"],
  [/ForMaskedLM$/, "masked-lm"],
  [/(ForCausalLM|LMHeadModel)$/, "causal-lm"],
  [/ForConditionalGeneration$/, "seq2seq-lm"],
];

/** The output that is the logits. Adds a problem where there is no telling. */
export function outputOf({ output: outputs }: GraphProto, problems: string[]): ValueInfoProto | undefined {
  const found = outputs.find(({ name }) => name === logitsName) ?? (outputs.length === 1 ? outputs[0] : undefined);
  if (found === undefined) {
    const names = outputs.map(({ name }) => name).join(", ");
    problems.push(`has the outputs ${names}, and none is called ${logitsName}`);
  }
  return found;
}

/** About the tokens of a 224-pixel image: bounds the batches, and nothing else. */
const imageTokens = 257;

/** All of a model but its graph. Adds a problem where the config and the file do not say enough. */
export function describe(
  { graph, output }: { readonly graph: GraphProto; readonly output: ValueInfoProto },
  json: unknown,
  problems: string[],
): Omit<BuiltModel, "graph" | "logits"> | undefined {
  const config = parseConfig(configKeys, json);
  const [architecture = graph.name] = config.architectures;
  const pixels = graph.input.find((input) => tensorOf(input)?.shape?.dim.length === 4);
  const rank = tensorOf(output)?.shape?.dim.length;
  const named = kinds.find(([ending]) => ending.test(architecture))?.[1];
  const kind = named ?? (rank === 2 ? (pixels ? "image-classification" : "sequence-classification") : undefined);
  if (kind === undefined) {
    const endings = kinds.map(([ending]) => ending.source.replace("$", "")).join(", ");
    problems.push(`config.json's architecture ${architecture} does not say what it is for (by ending in ${endings})`);
    return undefined;
  }
  const { vocab_size: vocabularySize, decoder_start_token_id: decoderStart } = config;
  const maxTokens = config.max_position_embeddings ?? config.n_positions;
  const image = kind === "image-classification" ? imageOf(pixels, problems) : undefined;
  return {
    architecture,
    kind,
    ...(kind.endsWith("classification") && { labels: labelCount(config) }),
    ...(vocabularySize !== undefined && { vocabularySize }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(decoderStart !== undefined && { decoderStart }),
    ...(image !== undefined && { image }),
    itemsApart: false,
  };
}

function imageOf(pixels: ValueInfoProto | undefined, problems: string[]): BuiltModel["image"] {
  const sizes = (pixels === undefined ? undefined : tensorOf(pixels))?.shape?.dim.slice(1).map(({ value }) => {
    return value.case === "dimValue" ? Number(value.value) : undefined;
  });
  const [channels, height, width] = sizes ?? [];
  if (channels !== undefined && height !== undefined && width !== undefined) {
    return { channels, height, width, tokens: imageTokens };
  }
  problems.push(`${inputNames.pixels}: its channels, height and width are not fixed: export it with fixed ones`);
  return undefined;
}
