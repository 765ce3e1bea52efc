/** Task files from a disk: the YAML file and the data files that it names, which must lie in its folder. */

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { readDataFiles } from "@amalgam/checkpoint";
import { EvaluatorError, messageOf } from "../errors.ts";
import { parseTasks, type TaskFiles, type TaskSet } from "./task.ts";
import { parseTaskHeader, pathsOf } from "./task-header.ts";

/**
 * Reads and parses tasks from their YAML files.
 * @throws EvaluatorError with every problem of every task, each with its file and line.
 */
export async function loadTasks(paths: readonly string[]): Promise<TaskSet> {
  const read = await Promise.allSettled(paths.map(readTaskFiles));
  const problems = read.flatMap((result) => (result.status === "rejected" ? problemsOf(result.reason) : []));
  const sources = read.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  try {
    const tasks = parseTasks(sources);
    if (problems.length === 0) return tasks;
  } catch (error) {
    if (sources.length > 0 || problems.length === 0) problems.push(...problemsOf(error));
  }
  throw new EvaluatorError(problems);
}

/**
 * Reads a task's YAML file and its data files, unparsed.
 * @throws EvaluatorError when the YAML is no task or a data file cannot be read or lies outside the task's folder.
 */
export async function readTaskFiles(path: string): Promise<TaskFiles> {
  const problems: string[] = [];
  const yaml = await readFile(path, "utf8").catch((error) => {
    throw new EvaluatorError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  });
  const header = parseTaskHeader(path, yaml, problems);
  const files = new Map<string, Uint8Array>();
  for (const [key, named] of header === undefined ? [] : pathsOf(header)) {
    try {
      for (const [name, bytes] of await readDataFiles(dirname(path), named)) files.set(name, bytes);
    } catch (error) {
      problems.push(`${path}: ${key}: ${messageOf(error)}`);
    }
  }
  if (problems.length > 0) throw new EvaluatorError(problems);
  return { path, yaml, files };
}

function problemsOf(error: unknown): readonly string[] {
  if (error instanceof EvaluatorError) return error.problems;
  throw error;
}
