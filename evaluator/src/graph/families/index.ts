/** The architectures that can be run, by the name `config.json` gives them. */

import type { JsonObject } from "@amalgam/checkpoint";
import { z } from "zod";
import { EvaluatorError } from "../../errors.ts";
import { readBareNames } from "../bare-names.ts";
import { tieWeights } from "../tied-weights.ts";
import { bert } from "./bert.ts";
import { clip } from "./clip.ts";
import { parseConfig } from "./config.ts";
import { distilbert } from "./distilbert.ts";
import type { BuildOptions, BuiltModel, Family } from "./family.ts";
import { gemma2 } from "./gemma2.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { roberta } from "./roberta.ts";
import { t5 } from "./t5.ts";
import { vit } from "./vit.ts";

const families: readonly Family[] = [
  bert,
  clip,
  distilbert,
  gemma2,
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
  roberta,
  t5,
  vit,
];

const byArchitecture: ReadonlyMap<string, Family> = new Map(
  families.flatMap((family) => family.architectures.map((name) => [name, family] as const)),
);

export const supportedArchitectures: readonly string[] = [...byArchitecture.keys()].sort();

const architectureConfig = z.object({
  architectures: z.array(z.string()).min(1),
});

/**
 * Builds the graph of the model that a Hugging Face `config.json` describes. Each call gives a graph of its own, to append a head to.
 * @param stored whether the checkpoint has a tensor of this name; without it, weights that the config ties are taken to be stored once, under
 *   the name that transformers gives them
 * @throws EvaluatorError for an architecture that is not supported (it lists those that are) or a config with wrong keys.
 */
export function buildModel(
  config: unknown,
  stored?: (tensor: string) => boolean,
  options: BuildOptions = {},
): BuiltModel {
  const { architectures } = parseConfig(architectureConfig, config);
  const name = architectures.find((each) => byArchitecture.has(each));
  if (name === undefined) {
    throw new EvaluatorError(
      `config.json: architectures: ${architectures.join(", ")} cannot be run (supported: ${supportedArchitectures.join(", ")})`,
    );
  }
  const model = byArchitecture.get(name)!.build(config, name, options);
  if (stored !== undefined) readBareNames(model.graph, stored);
  tieWeights(model.graph, config as JsonObject, stored);
  return model;
}
