/** What transformers makes of tasks; see tests/golden/tasks. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TokenizerFiles } from "../tasks/tokenize.ts";

export const tasksDirectory: string = fileURLToPath(new URL("../../../tests/golden/tasks", import.meta.url));

export function goldenTokenizer(kind: string): TokenizerFiles {
  const read = (name: string): string => readFileSync(`${tasksDirectory}/tokenizers/${kind}/${name}`, "utf8");
  return { tokenizerJson: read("tokenizer.json"), tokenizerConfig: read("tokenizer_config.json") };
}
