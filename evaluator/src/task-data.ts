/** The data of a task: JSON Lines, one labelled text a line. */

import { z } from "zod";
import { messageOf } from "./errors.ts";
import { suggestion } from "./nearest.ts";

export interface Example {
  readonly text: string;
  readonly textPair: string | undefined;
  /** Index among the task's labels. */
  readonly label: number;
  /** Line in the data file, from 1. */
  readonly line: number;
}

const schema = z.strictObject({ text: z.string(), text_pair: z.string().optional(), label: z.string() });
const keys = Object.keys(schema.shape);

/** One wrong column makes every line wrong: the first lines say it all. */
const problemsShown = 10;

/** Examples in the order of the file; adds a problem for each line that is none, and for a file without lines. */
export function parseExamples(
  path: string,
  bytes: Uint8Array,
  labels: readonly string[],
  problems: string[],
): readonly Example[] {
  const found: string[] = [];
  const examples: Example[] = [];
  const indexes = new Map(labels.map((label, index) => [label, index]));
  for (const [index, text] of linesOf(path, bytes, found).entries()) {
    if (text.trim() === "") continue;
    const wrong = (problem: string): number => found.push(`${path}:${index + 1}: ${problem}`);
    const row = parseRow(text, wrong);
    if (row === undefined) continue;
    const label = indexes.get(row.label);
    if (label === undefined) wrong(`unknown label "${row.label}"${suggestion(row.label, labels)}`);
    else examples.push({ text: row.text, textPair: row.text_pair, label, line: index + 1 });
  }
  if (found.length === 0 && examples.length === 0) found.push(`${path}: has no examples`);
  problems.push(...found.slice(0, problemsShown));
  if (found.length > problemsShown) problems.push(`${path}: ... and ${found.length - problemsShown} more lines`);
  return examples;
}

function linesOf(path: string, bytes: Uint8Array, problems: string[]): string[] {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
  } catch (error) {
    problems.push(`${path}: is not UTF-8 text (${messageOf(error)})`);
    return [];
  }
}

function parseRow(text: string, wrong: (problem: string) => void): z.infer<typeof schema> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    wrong(`is not JSON (${messageOf(error)})`);
    return undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) wrong(`unknown key "${key}"${suggestion(key, keys)}`);
    } else {
      wrong([issue.path.join("."), issue.message].filter(Boolean).join(": "));
    }
  }
  return undefined;
}
