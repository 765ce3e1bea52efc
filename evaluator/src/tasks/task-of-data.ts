/** Tasks of a data file that no task file names: with the labels of a task file, or with those of the model itself. */

import { basename } from "node:path";
import { isMap, parseDocument, stringify } from "yaml";
import { z } from "zod";
import { parseConfig } from "../graph/families/config.ts";
import { buildModel } from "../graph/families/index.ts";
import type { TaskFiles } from "./task.ts";

export interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface DataOptions {
  /** The name of the one split that the task has. */
  readonly split: string;
  readonly data: DataFile;
  /** Whether the items' labels do not matter: lines without one are then not refused. */
  readonly unlabelled: boolean;
}

/** The task of a YAML text, with one split: the data file. What is wrong with the text is found when it is parsed. */
export function taskWithData(path: string, yaml: string, { split, data, unlabelled }: DataOptions): TaskFiles {
  const document = parseDocument(yaml);
  const name = basename(data.path);
  if (isMap(document.contents)) document.set("splits", { [split]: name });
  const label: unknown = document.getIn(["labels", 0]);
  const plain = document.get("kind") === "classification" && !document.has("columns") && name.endsWith(".jsonl");
  const bytes = unlabelled && plain ? labelledLines(data.bytes, label) : data.bytes;
  return { path, yaml: document.toString(), files: new Map([[name, bytes]]) };
}

/** JSON lines with this label where they have none; what is no object is left to whoever parses it. */
function labelledLines(bytes: Uint8Array, label: unknown): Uint8Array {
  const lines = new TextDecoder().decode(bytes).split("\n");
  return new TextEncoder().encode(lines.map((line) => labelled(line, label)).join("\n"));
}

function labelled(line: string, label: unknown): string {
  try {
    const row: unknown = JSON.parse(line);
    const lacks = typeof row === "object" && row !== null && !Array.isArray(row) && !("label" in row);
    return lacks ? JSON.stringify({ ...row, label }) : line;
  } catch {
    return line;
  }
}

/** For models without a longest text. */
const manyTokens = 1024;

const classifier = z.object({ id2label: z.record(z.string(), z.string()) });

/**
 * Classification with the labels that the model's `config.json` names, of texts as long as the model takes.
 * @throws EvaluatorError for a config that names none
 */
export function taskOfModel(config: unknown, options: DataOptions): TaskFiles {
  const { maxTokens = manyTokens } = buildModel(config);
  const { id2label } = parseConfig(classifier, config);
  const labels = Object.entries(id2label)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, label]) => label);
  const header = { name: basename(options.data.path), kind: "classification", labels, max_tokens: maxTokens };
  return taskWithData("config.json", stringify(header), options);
}
