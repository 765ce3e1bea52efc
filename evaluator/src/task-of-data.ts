/** Tasks of a data file that no task file names: with the labels of a task file, or with those of the model itself. */

import { basename } from "node:path";
import { isMap, parseDocument, stringify } from "yaml";
import { z } from "zod";
import { parseConfig } from "./graph/families/config.ts";
import { buildModel } from "./graph/families/index.ts";
import type { TaskFiles } from "./task.ts";

export interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The task of a YAML text, with one split: the data file. What is wrong with the text is found when it is parsed. */
export function taskWithData(path: string, yaml: string, split: string, data: DataFile): TaskFiles {
  const document = parseDocument(yaml);
  if (isMap(document.contents)) document.set("splits", { [split]: basename(data.path) });
  return { path, yaml: document.toString(), files: new Map([[basename(data.path), data.bytes]]) };
}

/** For models without a longest text. */
const manyTokens = 1024;

const labelled = z.object({ id2label: z.record(z.string(), z.string()) });

/**
 * Classification with the labels that the model's `config.json` names, of texts as long as the model takes.
 */
export function taskOfModel(config: unknown, split: string, data: DataFile): TaskFiles {
  const { maxTokens = manyTokens } = buildModel(config);
  const { id2label } = parseConfig(labelled, config);
  const labels = Object.entries(id2label)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, label]) => label);
  const header = { name: basename(data.path), kind: "classification", labels, max_tokens: maxTokens };
  return taskWithData("config.json", stringify(header), split, data);
}
