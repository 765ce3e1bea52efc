/** The architectures that can be scored, by the name `config.json` gives them. */

import { z } from "zod";
import { EvaluatorError } from "../../errors.ts";
import { bert } from "./bert.ts";
import { parseConfig } from "./config.ts";
import type { ClassifierGraph, Family } from "./family.ts";

const families: ReadonlyMap<string, Family> = new Map([bert].map((family) => [family.architecture, family]));

export const supportedArchitectures: readonly string[] = [...families.keys()];

const architectureConfig = z.object({
  architectures: z.array(z.string()).min(1),
});

/**
 * Builds the graph of the model that a Hugging Face `config.json` describes.
 * @throws EvaluatorError for an architecture that is not supported (it lists those that are) or a config with wrong keys.
 */
export function buildClassifier(config: unknown): ClassifierGraph {
  const { architectures } = parseConfig(architectureConfig, config);
  const family = architectures.map((name) => families.get(name)).find((found) => found !== undefined);
  if (family === undefined) {
    throw new EvaluatorError(
      `config.json: architectures: ${architectures.join(", ")} cannot be scored (supported: ${supportedArchitectures.join(", ")})`,
    );
  }
  return family.build(config);
}
