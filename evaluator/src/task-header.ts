/** The YAML part of a task: its schema, and the line of each thing that is wrong. */

import { type Document, isMap, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { suggestion } from "./nearest.ts";

export interface TaskHeader {
  readonly name: string;
  readonly kind: "classification";
  /** Names of the labels, in the order of their logits. */
  readonly labels: readonly string[];
  /** Index of the first label's logit: one head may serve several tasks. */
  readonly labelOffset: number;
  /** Longer texts are cut to this many tokens, special tokens included. */
  readonly maxTokens: number;
  /** Data file, relative to the task's folder, by split. */
  readonly splits: ReadonlyMap<string, string>;
}

const name = z.string().min(1);

const schema = z.strictObject({
  name,
  kind: z.literal("classification"),
  labels: z
    .array(name)
    .min(2)
    .refine((labels) => new Set(labels).size === labels.length, "names a label twice"),
  label_offset: z.number().int().nonnegative().default(0),
  max_tokens: z.number().int().min(2).default(128),
  splits: z
    .record(name, z.string().refine(staysInside, "must be a path inside the task's folder, without .."))
    .refine((splits) => Object.keys(splits).length > 0, "names no data file"),
});

/** The header, or undefined after adding at least one problem. */
export function parseTaskHeader(path: string, yaml: string, problems: string[]): TaskHeader | undefined {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    for (const error of document.errors) problems.push(`${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
    return undefined;
  }
  const parsed = schema.safeParse(document.toJS({ maxAliasCount: 0 }));
  if (parsed.success) {
    const { label_offset: labelOffset, max_tokens: maxTokens, splits, ...rest } = parsed.data;
    return { ...rest, labelOffset, maxTokens, splits: new Map(Object.entries(splits)) };
  }
  for (const issue of parsed.error.issues) {
    const at = `${path}:${lineOf(document, lines, issue.path)}:`;
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const line = lineOf(document, lines, [...issue.path, key]);
        problems.push(`${path}:${line}: unknown key "${key}"${suggestion(key, Object.keys(schema.shape))}`);
      }
    } else {
      problems.push(`${at} ${[issue.path.join("."), issue.message].filter(Boolean).join(": ")}`);
    }
  }
  return undefined;
}

/** The line of the value at a path, or of the nearest thing around it that exists. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth - 1), true);
    const key = path[depth - 1];
    const pair = isMap(parent) ? parent.items.find((item) => String(item.key) === String(key)) : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, depth), true);
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
  }
  return 1;
}

/** Whether a path from an untrusted file is relative and never climbs, on any operating system. */
function staysInside(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return path !== "" && !/^([/\\]|[A-Za-z]:)/.test(path) && !path.includes("\0") && !parts.includes("..");
}
