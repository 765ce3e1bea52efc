/** The architectures that can be run, by the name `config.json` gives them. */

import { z } from "zod";
import { EvaluatorError } from "../../errors.ts";
import { bert } from "./bert.ts";
import { clip } from "./clip.ts";
import { parseConfig } from "./config.ts";
import type { BuiltModel, Family } from "./family.ts";
import { gemma2 } from "./gemma2.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { vit } from "./vit.ts";

const families: readonly Family[] = [bert, clip, gemma2, gpt2, llama, mistral, qwen2, qwen3, vit];

const byArchitecture: ReadonlyMap<string, Family> = new Map(
  families.flatMap((family) => family.architectures.map((name) => [name, family] as const)),
);

export const supportedArchitectures: readonly string[] = [...byArchitecture.keys()].sort();

const architectureConfig = z.object({
  architectures: z.array(z.string()).min(1),
});

/**
 * Builds the graph of the model that a Hugging Face `config.json` describes. Each call gives a graph of its own, to append a head to.
 * @throws EvaluatorError for an architecture that is not supported (it lists those that are) or a config with wrong keys.
 */
export function buildModel(config: unknown): BuiltModel {
  const { architectures } = parseConfig(architectureConfig, config);
  const name = architectures.find((each) => byArchitecture.has(each));
  if (name === undefined) {
    throw new EvaluatorError(
      `config.json: architectures: ${architectures.join(", ")} cannot be run (supported: ${supportedArchitectures.join(", ")})`,
    );
  }
  return byArchitecture.get(name)!.build(config, name);
}
