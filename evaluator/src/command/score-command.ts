/** A task whose score is what a command says of the candidate's model directory. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { EvaluatorError } from "../errors.ts";
import type { ItemScores } from "../score.ts";
import type { TaskOf } from "../tasks/task.ts";
import type { Weights } from "../weights.ts";
import { writeModel } from "./model-folder.ts";
import { readScores } from "./read-scores.ts";
import { type CommandEnd, maxOutputBytes, runCommand } from "./run-command.ts";

export interface CommandSubject {
  readonly weights: Weights;
  /** What lies beside the weights, by name: config.json, the tokenizer's files. */
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
}

/**
 * Writes the model and the task's files into a temporary folder, runs the command there, and removes the folder.
 * @throws EvaluatorError for a command that cannot be started, fails, takes too long or prints no score; the signal's reason
 */
export async function scoreByCommand(
  task: TaskOf<"command">,
  split: string,
  { weights, sideFiles }: CommandSubject,
  signal?: AbortSignal,
): Promise<ItemScores> {
  const place = `task ${task.name}: ${basename(task.command[0]!)}`;
  const folder = await mkdtemp(join(tmpdir(), "amalgam-command-"));
  try {
    const [model, work, home] = ["model", "work", "home"].map((name) => join(folder, name)) as [string, string, string];
    for (const each of [model, work, home]) await mkdir(each);
    await writeModel(model, weights, sideFiles, signal);
    for (const [path, bytes] of task.contents) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await writeFile(join(work, path), bytes);
    }
    const data = task.splits.get(split)!.path;
    const places: Readonly<Record<string, string>> = { model, task: task.name, split, data: join(work, data) };
    const [program, ...args] = task.command.map((word) =>
      word.replaceAll(/\{(model|task|split|data)\}/g, (_, name: string) => places[name]!),
    );
    const end = await runCommand({
      program: program!,
      args,
      directory: work,
      environment: { ...given(task.environment), HOME: home, TMPDIR: home },
      timeoutSeconds: task.timeoutSeconds,
      signal,
    });
    return readScores(outputOf(end, task, place), task.metric, place);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Those of this process's variables that the task asks for, and the path on which programs are found. */
function given(names: readonly string[]): Record<string, string> {
  const values = [...new Set(["PATH", ...names])].map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(values.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function outputOf(end: CommandEnd, { timeoutSeconds }: TaskOf<"command">, place: string): string {
  const fail = (problem: string, stderr = ""): never => {
    throw new EvaluatorError(`${place}: ${problem}${stderr === "" ? "" : `; it said: ${stderr}`}`);
  };
  switch (end.kind) {
    case "exited":
      return end.code === 0 ? end.stdout : fail(`ended with exit code ${end.code}`, end.stderr);
    case "killed":
      return fail(`was ended by ${end.by}`, end.stderr);
    case "not started":
      return fail(`cannot be started (${end.reason})`);
    case "too slow":
      return fail(`had not ended after ${timeoutSeconds} s (timeout_seconds), and was stopped`, end.stderr);
    case "too much output":
      return fail(`printed more than ${maxOutputBytes / 2 ** 20} MiB, and was stopped`);
  }
}
