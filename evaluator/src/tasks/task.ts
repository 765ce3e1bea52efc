/**
 * A task: items, and what is measured on them. Parsed from the text of a YAML file and the data files it names; reads no disk, so that a task
 * sent over the wire is held to the same rules.
 */

import { EvaluatorError } from "../errors.ts";
import type { ZeroShotHead } from "../graph/zero-shot.ts";
import { type ExampleOf, parseExamples } from "./task-data.ts";
import { type ImageClassificationHeader, parseTaskHeader, type TaskHeader } from "./task-header.ts";
import { imageSplit } from "./task-images.ts";
import { readZeroShotHead } from "./zero-shot-head.ts";

/** A task of one kind: its header, and its items in place of the names of their files. */
export type TaskOf<K extends TaskHeader["kind"]> = Omit<Extract<TaskHeader, { readonly kind: K }>, "splits"> & {
  /** By the name of the split (validation, test, ...). */
  readonly splits: ReadonlyMap<string, Split<ExampleOf[K]>>;
} & (K extends "image_classification" ? { readonly zeroShot?: ZeroShotHead } : unknown) &
  (K extends "command"
    ? { /** Bytes of its data and its other files, by path. */ readonly contents: ReadonlyMap<string, Uint8Array> }
    : unknown);

export type Task = { [K in TaskHeader["kind"]]: TaskOf<K> }[TaskHeader["kind"]];

export interface Split<E = ExampleOf[TaskHeader["kind"]]> {
  /** The data file or folder, for messages. */
  readonly path: string;
  readonly examples: readonly E[];
}

/** Tasks by name. */
export type TaskSet = ReadonlyMap<string, Task>;

/** A task file and the data it names, as bytes. */
export interface TaskFiles {
  /** Path of the YAML file, for messages. */
  readonly path: string;
  readonly yaml: string;
  /** Data files by the relative path that the YAML names, and images by their paths below a folder that it names. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Parses tasks.
 * @throws EvaluatorError with every problem of every task, each with its file and line.
 */
export function parseTasks(sources: Iterable<TaskFiles>): TaskSet {
  const tasks = new Map<string, Task>();
  const problems: string[] = [];
  for (const source of sources) {
    const task = parseTask(source, problems);
    if (task === undefined) continue;
    if (tasks.has(task.name)) problems.push(`${source.path}: another task is named "${task.name}" too`);
    tasks.set(task.name, task);
  }
  if (problems.length === 0 && tasks.size === 0) problems.push("no task is given");
  if (problems.length > 0) throw new EvaluatorError(problems);
  return placeHeads(tasks);
}

/** The labels of the tasks with zero-shot heads lie one after another, in the order of the tasks. */
function placeHeads(tasks: ReadonlyMap<string, Task>): TaskSet {
  let next = 0;
  const placed = [...tasks].map(([name, task]): [string, Task] => {
    if (task.kind !== "image_classification" || task.zeroShot === undefined) return [name, task];
    const labelOffset = next;
    next += task.labels.length;
    return [name, { ...task, labelOffset }];
  });
  return new Map(placed);
}

function parseTask({ path, yaml, files }: TaskFiles, problems: string[]): Task | undefined {
  const header = parseTaskHeader(path, yaml, problems);
  if (header === undefined) return undefined;
  for (const file of header.kind === "command" ? header.files : []) {
    if (!files.has(file)) problems.push(`${path}: files: ${file} is missing`);
  }
  const splits = new Map<string, Split>();
  const missing = (split: string, file: string): number => problems.push(`${path}: split ${split}: ${file} is missing`);
  if (header.kind === "image_classification") {
    for (const [split, data] of header.splits) {
      const file = typeof data === "string" ? data : data.images;
      const examples = imageSplit(data, header, files, problems);
      if (examples === undefined) missing(split, file);
      else splits.set(split, { path: file, examples });
    }
    return { ...header, splits, ...zeroShotOf(path, header, files, problems) } as Task;
  }
  for (const [split, file] of header.splits) {
    const bytes = files.get(file);
    if (bytes === undefined) missing(split, file);
    else splits.set(split, { path: file, examples: parseExamples(file, bytes, header, problems) });
  }
  const task = { ...header, splits } as Task;
  return task.kind === "command" ? { ...task, contents: files } : task;
}

function zeroShotOf(
  path: string,
  { head, labels, labelOffset }: ImageClassificationHeader,
  files: ReadonlyMap<string, Uint8Array>,
  problems: string[],
): { readonly zeroShot?: ZeroShotHead } {
  if (head === undefined) return {};
  if (labelOffset !== 0)
    problems.push(`${path}: label_offset: is of a model's own classifier, and the task has a head`);
  const bytes = files.get(head);
  if (bytes === undefined) problems.push(`${path}: head: ${head} is missing`);
  const zeroShot = bytes && readZeroShotHead(head, bytes, labels.length, problems);
  return zeroShot === undefined ? {} : { zeroShot };
}
