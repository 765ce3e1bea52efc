/** The YAML part of a task: its schema, and the line of each thing that is wrong. */

import { nearest } from "@amalgam/runtime";
import { type Document, isMap, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { suggestion } from "../nearest.ts";
import { type Template, templateProblem } from "./template.ts";

interface Named {
  readonly name: string;
}

interface Header extends Named {
  /** Data file, relative to the task's folder, by split. */
  readonly splits: ReadonlyMap<string, string>;
}

/** Which label a text, or a pair of texts, has: the largest logit of a slice of a classifier's head. */
export interface ClassificationHeader extends Header {
  readonly kind: "classification";
  /** Names of the labels, in the order of their logits. */
  readonly labels: readonly string[];
  /** Index of the first label's logit: one head may serve several tasks. */
  readonly labelOffset: number;
  /** Longer texts are cut to this many tokens, special tokens included. */
  readonly maxTokens: number;
  /** Names of the data's columns; undefined: `text`, `text_pair` and `label`, and no others. */
  readonly columns: { readonly text: string; readonly textPair?: string; readonly label: string } | undefined;
}

/** Which label an image has: the largest logit of a slice of a classifier's head. */
export interface ImageClassificationHeader extends Named {
  readonly kind: "image_classification";
  /** Names of the labels, in the order of their logits. */
  readonly labels: readonly string[];
  /** Index of the first label's logit. */
  readonly labelOffset: number;
  /** The folder that images named in tables start from. */
  readonly images: string | undefined;
  /** A safetensors file with the zero-shot head for a model that gives image features. */
  readonly head: string | undefined;
  readonly splits: ReadonlyMap<string, ImagePath>;
}

/** Paths in the task's folder: of a table, of a folder of images, or of a pair of IDX files. */
export type ImagePath = string | { readonly images: string; readonly labels: string };

interface PromptHeader extends Header {
  /** What the model reads before it answers. */
  readonly prompt: Template;
  /** Column of the right answer. */
  readonly answer: string;
  /** Longest sequence in tokens; undefined: as long as the model takes. */
  readonly maxTokens: number | undefined;
  /** Whether a text begins with the special tokens that the tokenizer begins texts with. */
  readonly addSpecialTokens: boolean;
}

/** Which of several continuations a language model finds likeliest after a prompt (rank classification). */
export interface MultipleChoiceHeader extends PromptHeader {
  readonly kind: "multiple_choice";
  /** The choices of every item, or the column that has them as a list. */
  readonly choices: readonly Template[] | { readonly column: string };
  /** Names of the choices for the answer's column, where it has no index. */
  readonly labels: readonly string[] | undefined;
  /** `length`: a choice's log-likelihood is divided by its number of tokens; `none`: it is their sum. */
  readonly normalize: "length" | "none";
}

/** How well a language model predicts the tokens of texts. */
export interface PerplexityHeader extends Header {
  readonly kind: "perplexity";
  readonly text: Template;
  /** Tokens that the model reads at once; undefined: as many as it takes. */
  readonly maxTokens: number | undefined;
  /** Tokens by which that window moves on; undefined: its length. */
  readonly stride: number | undefined;
  readonly addSpecialTokens: boolean;
}

const ignorable = ["case", "punctuation", "articles", "whitespace"] as const;

/** What may make no difference between two answers. */
export type Ignorable = (typeof ignorable)[number];

/** Whether a language model writes the right answer after a prompt, by greedy decoding. */
export interface GenerationHeader extends PromptHeader {
  readonly kind: "generation";
  /** Most tokens written. */
  readonly maxNewTokens: number;
  /** Texts that end what is written; they do not belong to it. */
  readonly stop: readonly string[];
  /** What makes no difference between an answer and the right one. */
  readonly ignore: readonly Ignorable[];
}

/** What a command says of a model directory. */
export interface CommandHeader extends Header {
  readonly kind: "command";
  /** The program and its arguments, in which `{model}`, `{task}`, `{split}` and `{data}` are replaced. */
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
  /** Names of variables that it is given of the evaluator's environment, besides PATH. */
  readonly environment: readonly string[];
  /** Files of the task's folder that lie in its working directory, besides the data. */
  readonly files: readonly string[];
  /** What it measures; `accuracy` and `exact_match` are fractions. */
  readonly metric: string;
}

export type TaskHeader =
  | ClassificationHeader
  | ImageClassificationHeader
  | MultipleChoiceHeader
  | PerplexityHeader
  | GenerationHeader
  | CommandHeader;

const name = z.string().min(1);
const path = z.string().refine(staysInside, "must be a path inside the task's folder, without ..");
const template = z.string().superRefine((text, context) => {
  const problem = templateProblem(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});
const tokens = z.number().int();
const distinct = (labels: readonly string[]): boolean => new Set(labels).size === labels.length;
const splits = z
  .record(name, path)
  .refine((files) => Object.keys(files).length > 0, "names no data file")
  .transform((files) => new Map(Object.entries(files)));

const labels = z.array(name).min(2).refine(distinct, "names a label twice");
const idxPair = z.strictObject({ images: path, labels: path });
/** Not a union, whose errors would say nothing of the one that is meant. */
const imagePath = z.unknown().transform((value, context): ImagePath => {
  const parsed = typeof value === "object" ? idxPair.safeParse(value) : path.safeParse(value);
  for (const { path, message } of parsed.error?.issues ?? []) context.addIssue({ code: "custom", path, message });
  return parsed.success ? parsed.data : z.NEVER;
});

const schemas = {
  classification: z.strictObject({
    name,
    kind: z.literal("classification"),
    labels,
    label_offset: z.number().int().nonnegative().default(0),
    max_tokens: tokens.min(2).default(128),
    columns: z
      .strictObject({ text: name.default("text"), text_pair: name.optional(), label: name.default("label") })
      .optional(),
    splits,
  }),
  image_classification: z.strictObject({
    name,
    kind: z.literal("image_classification"),
    labels,
    label_offset: z.number().int().nonnegative().default(0),
    images: path.optional(),
    head: path.optional(),
    splits: z
      .record(name, imagePath)
      .refine((paths) => Object.keys(paths).length > 0, "names no images")
      .transform((paths) => new Map(Object.entries(paths))),
  }),
  multiple_choice: z.strictObject({
    name,
    kind: z.literal("multiple_choice"),
    prompt: template.default("{{context}}"),
    choices: z.union([z.array(template).min(2), z.strictObject({ column: name })]).default({ column: "choices" }),
    answer: name.default("answer"),
    labels: z.array(name).refine(distinct, "names a label twice").optional(),
    normalize: z.enum(["length", "none"]).default("length"),
    max_tokens: tokens.min(2).optional(),
    add_special_tokens: z.boolean().default(true),
    splits,
  }),
  perplexity: z.strictObject({
    name,
    kind: z.literal("perplexity"),
    text: template.default("{{text}}"),
    max_tokens: tokens.min(2).optional(),
    stride: tokens.positive().optional(),
    add_special_tokens: z.boolean().default(true),
    splits,
  }),
  generation: z.strictObject({
    name,
    kind: z.literal("generation"),
    prompt: template.default("{{prompt}}"),
    answer: name.default("answer"),
    max_new_tokens: tokens.positive().max(4096).default(32),
    stop: z.array(name).default(["\n"]),
    ignore: z.array(z.enum(ignorable)).default([]),
    max_tokens: tokens.min(2).optional(),
    add_special_tokens: z.boolean().default(true),
    splits,
  }),
  command: z.strictObject({
    name,
    kind: z.literal("command"),
    command: z.array(z.string()).min(1),
    timeout_seconds: z
      .number()
      .positive()
      .max(7 * 86_400)
      .default(3600),
    environment: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable")).default([]),
    files: z.array(path).default([]),
    metric: z
      .string()
      .regex(/^[a-z][a-z0-9_]*$/, "must be a word of small letters, digits and _")
      .default("score"),
    splits,
  }),
};

type Kind = keyof typeof schemas;
const taskKinds: readonly Kind[] = Object.keys(schemas) as Kind[];

/** All paths that a task names, each with the key that names it. */
export function pathsOf(header: TaskHeader): (readonly [key: string, path: string])[] {
  const splits = [...header.splits].flatMap(([split, data]) => {
    const paths = typeof data === "string" ? [data] : [data.images, data.labels];
    return paths.map((path) => [`split ${split}`, path] as const);
  });
  if (header.kind === "command") return [...splits, ...header.files.map((file) => ["files", file] as const)];
  if (header.kind !== "image_classification") return splits;
  const others = (["images", "head"] as const).flatMap((key) => {
    const path = header[key];
    return path === undefined ? [] : [[key, path] as const];
  });
  return [...splits, ...others];
}

/** The header, or undefined after adding at least one problem. */
export function parseTaskHeader(path: string, yaml: string, problems: string[]): TaskHeader | undefined {
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    for (const error of document.errors) problems.push(`${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
    return undefined;
  }
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const word = z.looseObject({ kind: z.string() }).safeParse(value).data?.kind ?? "";
  // One that is misspelt is held against the kind that was meant, so that all problems are told at once.
  const kind = taskKinds.find((each) => each === word) ?? (nearest(word, taskKinds) as Kind) ?? "classification";
  const schema = schemas[kind];
  const parsed = schema.safeParse(value);
  if (parsed.success) return headerOf(parsed.data);
  for (const issue of parsed.error.issues) {
    if (issue.code === "unrecognized_keys") {
      const known = issue.path.length === 0 ? Object.keys(schema.shape) : [];
      for (const key of issue.keys) {
        const line = lineOf(document, lines, [...issue.path, key]);
        problems.push(`${path}:${line}: unknown key "${[...issue.path, key].join(".")}"${suggestion(key, known)}`);
      }
    } else {
      const isKind = issue.path.join() === "kind";
      const message = isKind ? `must be one of ${taskKinds.join(", ")}${suggestion(word, taskKinds)}` : issue.message;
      const at = `${path}:${lineOf(document, lines, issue.path)}:`;
      problems.push(`${at} ${[issue.path.join("."), message].filter(Boolean).join(": ")}`);
    }
  }
  return undefined;
}

/** Keys as the code writes them. */
function headerOf(data: z.infer<(typeof schemas)[Kind]>): TaskHeader {
  switch (data.kind) {
    case "classification": {
      const { label_offset: labelOffset, max_tokens: maxTokens, columns, ...rest } = data;
      const { text_pair: textPair, ...named } = columns ?? { text: "text", label: "label" };
      return { ...rest, labelOffset, maxTokens, columns: columns && { ...named, ...(textPair && { textPair }) } };
    }
    case "image_classification": {
      const { label_offset: labelOffset, images, head, ...rest } = data;
      return { ...rest, labelOffset, images, head };
    }
    case "command": {
      const { timeout_seconds: timeoutSeconds, ...rest } = data;
      return { ...rest, timeoutSeconds };
    }
    case "perplexity": {
      const { max_tokens: maxTokens, add_special_tokens: addSpecialTokens, stride, ...rest } = data;
      return { ...rest, maxTokens, addSpecialTokens, stride };
    }
    case "multiple_choice": {
      const { max_tokens: maxTokens, add_special_tokens: addSpecialTokens, labels, ...rest } = data;
      return { ...rest, labels, maxTokens, addSpecialTokens };
    }
    case "generation": {
      const {
        max_tokens: maxTokens,
        add_special_tokens: addSpecialTokens,
        max_new_tokens: maxNewTokens,
        ...rest
      } = data;
      return { ...rest, maxTokens, addSpecialTokens, maxNewTokens };
    }
  }
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
