/** Reads task files as far as the coordinator must know them: name, splits and the bytes they name. Evaluators hold them to the full rules. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { readDataFiles } from "@amalgam/checkpoint";
import { parse } from "yaml";
import { z } from "zod";
import type { EvaluateSection } from "../recipe/index.ts";

/** A task as evaluators get it. */
export interface TaskInput {
  readonly name: string;
  /** `classification`, `perplexity`, `command`, ...: what it asks of an evaluator. */
  readonly kind: string;
  /** Path as the recipe writes it. */
  readonly path: string;
  readonly yaml: string;
  readonly splits: readonly string[];
  /** Data files by the relative path that the YAML names, and images by their paths below a folder that it names. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Of a split: a file, a folder of images, or a pair of files. */
const paths = z.union([z.string(), z.record(z.string(), z.string())]);
const header = z.looseObject({
  name: z.string().min(1),
  kind: z.string().default(""),
  splits: z.record(z.string(), paths),
  /** The folder that images named in tables start from. */
  images: z.string().optional(),
  /** The zero-shot head of a task of images. */
  head: z.string().optional(),
  /** Of a command: what it is given besides its data. */
  files: z.array(z.string()).default([]),
});

/** Reads the tasks of a recipe; `problems` receives every reason why one cannot be used. */
export async function readTasks(
  evaluate: EvaluateSection,
  directory: string,
  problems: string[],
): Promise<TaskInput[]> {
  const tasks: TaskInput[] = [];
  for (const path of evaluate.tasks) {
    const task = await readTask(path, directory, problems);
    if (task === undefined) continue;
    if (tasks.some(({ name }) => name === task.name))
      problems.push(`${path}: another task is named \`${task.name}\` too`);
    for (const split of new Set([evaluate.split, evaluate.confirm ?? evaluate.split])) {
      if (task.splits.includes(split)) continue;
      problems.push(
        `${path}: the task has no split \`${split}\`, which the recipe names (it has ${task.splits.join(", ")})`,
      );
    }
    tasks.push(task);
  }
  return tasks;
}

/** The split of the final table: what the recipe says, else `test` where every task has it, else the split of the search. */
export function confirmSplit(evaluate: EvaluateSection, tasks: readonly TaskInput[]): string {
  if (evaluate.confirm !== undefined) return evaluate.confirm;
  return tasks.every(({ splits }) => splits.includes("test")) ? "test" : evaluate.split;
}

async function readTask(path: string, directory: string, problems: string[]): Promise<TaskInput | undefined> {
  const file = resolve(directory, path);
  try {
    const yaml = await readFile(file, "utf8");
    const parsed = header.safeParse(parse(yaml, { maxAliasCount: 0 }));
    if (!parsed.success) {
      problems.push(`${path}: is not a task: it needs \`name\` and \`splits\` (data file by split)`);
      return undefined;
    }
    const { name, kind, splits, images = [], head = [], files: others } = parsed.data;
    const files = new Map<string, Uint8Array>();
    const data = Object.values(splits).flatMap((paths) => (typeof paths === "string" ? paths : Object.values(paths)));
    for (const named of new Set([...data, ...others].concat(images, head))) {
      try {
        for (const [each, bytes] of await readDataFiles(dirname(file), named)) files.set(each, bytes);
      } catch (error) {
        problems.push(`${path}: ${messageOf(error)}`);
      }
    }
    return { name, kind, path, yaml, splits: Object.keys(splits), files };
  } catch (error) {
    problems.push(`${path}: cannot be read as a task: ${messageOf(error)}`);
    return undefined;
  }
}

const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.message.split("\n", 1)[0] ?? "") : String(thrown);
