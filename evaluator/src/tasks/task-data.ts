/** The items of a task: rows of its data files, held against what the task's kind needs of them. */

import { suggestion } from "../nearest.ts";
import { type Row, readRows } from "./table.ts";
import type {
  ClassificationHeader,
  GenerationHeader,
  MultipleChoiceHeader,
  PerplexityHeader,
  TaskHeader,
} from "./task-header.ts";
import type { ImageExample } from "./task-images.ts";
import { render, type Template } from "./template.ts";

interface Item {
  /** Line in the data file, from 1. */
  readonly line: number;
}

/** A text, or a pair of texts, with its label. */
export interface Example extends Item {
  readonly text: string;
  readonly textPair: string | undefined;
  /** Index among the task's labels. */
  readonly label: number;
}

/** A prompt with what may follow it. */
export interface ChoiceExample extends Item {
  readonly prompt: string;
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly label: number;
}

export interface TextExample extends Item {
  readonly text: string;
}

/** A prompt with the answers that are right. */
export interface PromptExample extends Item {
  readonly prompt: string;
  readonly answers: readonly string[];
}

/** Items by the kind of their task. */
export interface ExampleOf {
  readonly classification: Example;
  readonly image_classification: ImageExample;
  readonly multiple_choice: ChoiceExample;
  readonly perplexity: TextExample;
  readonly generation: PromptExample;
  /** A command reads its data itself. */
  readonly command: never;
}

/** One wrong column makes every line wrong: the first lines say it all. */
const problemsShown = 10;

/** What a row has no right value for; becomes a problem of its line. */
export class RowProblem extends Error {}

/** Kinds whose items are the rows of a file. */
export type TableKind = Exclude<TaskHeader["kind"], "image_classification">;

/** Items in the order of the file; adds a problem for each line that is none, and for a file without lines. */
export function parseExamples<K extends TableKind>(
  path: string,
  bytes: Uint8Array,
  header: TaskHeader & { readonly kind: K },
  problems: string[],
): readonly ExampleOf[K][] {
  const read = readerOf(header) as ((row: Row) => ExampleOf[K]) | undefined;
  return read === undefined ? [] : examplesOf(path, bytes, read, problems);
}

/** What `read` makes of each row of a file. */
export function examplesOf<E>(path: string, bytes: Uint8Array, read: (row: Row) => E, problems: string[]): E[] {
  const found: { readonly line: number; readonly problem: string }[] = [];
  const wrong = (line: number, problem: string): number => found.push({ line, problem });
  const examples: E[] = [];
  for (const row of readRows(path, bytes, wrong)) {
    try {
      examples.push(read(row));
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      wrong(row.line, error.message);
    }
  }
  if (found.length === 0 && examples.length === 0) wrong(0, "has no examples");
  found.sort((a, b) => a.line - b.line);
  for (const { line, problem } of found.slice(0, problemsShown)) {
    problems.push(`${path}${line === 0 ? "" : `:${line}`}: ${problem}`);
  }
  if (found.length > problemsShown) problems.push(`${path}: ... and ${found.length - problemsShown} more lines`);
  return examples;
}

/** Undefined for a command, which reads its data itself. */
function readerOf(
  header: TaskHeader & { readonly kind: TableKind },
): ((row: Row) => Example | ChoiceExample | TextExample | PromptExample) | undefined {
  switch (header.kind) {
    case "classification":
      return (row) => classified(row, header);
    case "multiple_choice":
      return (row) => withChoices(row, header);
    case "perplexity":
      return (row) => withText(row, header);
    case "generation":
      return (row) => withAnswers(row, header);
    case "command":
      return undefined;
  }
}

const ownColumns = ["text", "text_pair", "label"];

function classified(row: Row, { columns, labels }: ClassificationHeader): Example {
  if (columns === undefined) {
    // A file that was made for this task says nothing that is not meant.
    const unknown = Object.keys(row.values).find((column) => !ownColumns.includes(column));
    if (unknown !== undefined) throw new RowProblem(`unknown key "${unknown}"${suggestion(unknown, ownColumns)}`);
  }
  const { text, textPair, label } = columns ?? { text: "text", textPair: "text_pair", label: "label" };
  const hasPair = textPair !== undefined && (columns !== undefined || Object.hasOwn(row.values, textPair));
  return {
    text: textOf(row, text),
    textPair: hasPair ? textOf(row, textPair) : undefined,
    label: labelOf(row, label, labels),
    line: row.line,
  };
}

function withChoices(row: Row, header: MultipleChoiceHeader): ChoiceExample {
  const choices = Array.isArray(header.choices)
    ? header.choices.map((choice: Template) => filled(row, choice))
    : listOf(row, (header.choices as { readonly column: string }).column);
  if (choices.length < 2) throw new RowProblem(`${choices.length} choice is nothing to choose from`);
  if (header.labels !== undefined && header.labels.length !== choices.length) {
    throw new RowProblem(`${choices.length} choices, but the task names ${header.labels.length} labels`);
  }
  const empty = choices.indexOf("");
  if (empty >= 0) throw new RowProblem(`choice ${empty} is empty`);
  const names = header.labels ?? choices.map((choice) => choice.trim());
  return {
    prompt: filled(row, header.prompt),
    choices,
    label: labelOf(row, header.answer, names),
    line: row.line,
  };
}

function withText(row: Row, { text }: PerplexityHeader): TextExample {
  const found = filled(row, text);
  if (found === "") throw new RowProblem("the text is empty");
  return { text: found, line: row.line };
}

function withAnswers(row: Row, header: GenerationHeader): PromptExample {
  const value = cellOf(row, header.answer);
  const answers = Array.isArray(value) ? listOf(row, header.answer) : [filled(row, `{{${header.answer}}}`)];
  if (answers.length === 0) throw new RowProblem(`${header.answer}: has no answer`);
  return { prompt: filled(row, header.prompt), answers, line: row.line };
}

/** Numbers are filled in as JSON writes them. */
const filled = (row: Row, template: Template): string =>
  render(template, (column) => {
    const value = cellOf(row, column);
    return typeof value === "number" ? String(value) : textOf(row, column);
  });

function cellOf({ values }: Row, column: string): unknown {
  if (Object.hasOwn(values, column)) return values[column];
  throw new RowProblem(`${column}: is missing${suggestion(column, Object.keys(values))}`);
}

export function textOf(row: Row, column: string): string {
  const value = cellOf(row, column);
  if (typeof value === "string") return value;
  throw new RowProblem(`${column}: Invalid input: expected string, received ${typeName(value)}`);
}

function listOf(row: Row, column: string): string[] {
  const value = cellOf(row, column);
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw new RowProblem(`${column}: must be a list of texts (CSV has none: name a column for each choice)`);
}

/** A label by its name, or else by its index from 0. */
export function labelOf(row: Row, column: string, labels: readonly string[]): number {
  const value = cellOf(row, column);
  if (typeof value === "string" || typeof value === "number") {
    const named = typeof value === "string" ? labels.indexOf(value.trim()) : -1;
    if (named >= 0) return named;
    const index = typeof value === "number" ? value : /^\d+$/.test(value) ? Number(value) : -1;
    if (Number.isInteger(index) && index >= 0 && index < labels.length) return index;
    if (typeof value === "string" && index === -1)
      throw new RowProblem(`unknown label "${value}"${suggestion(value, labels)}`);
    throw new RowProblem(`label ${value} is not one of 0 to ${labels.length - 1}`);
  }
  throw new RowProblem(`${column}: Invalid input: expected string, received ${typeName(value)}`);
}

const typeName = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
