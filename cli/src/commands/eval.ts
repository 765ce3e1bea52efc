// `amalgam eval`: scores one checkpoint on tasks, as the evaluators of a search do.
import { writeFile } from "node:fs/promises";
import { createScorer, loadTasks, readModelDirectory } from "@amalgam/evaluator";
import { AmalgamError } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../render/table.ts";
import { formatAccuracy } from "../render/units.ts";
import { defaultThreads } from "../roles/local.ts";

export interface EvalOptions {
  readonly task: readonly string[];
  readonly split: string;
  readonly threads?: number;
  readonly logits?: string;
}

export async function run(context: CommandContext, directory: string, options: EvalOptions): Promise<void> {
  const { signal } = context;
  const tasks = await loadTasks(options.task);
  const { config, tokenizer, weights } = await readModelDirectory(directory, signal);
  await using scorer = await createScorer({ config, tokenizer, tasks, threads: options.threads ?? defaultThreads() });
  const scores = [];
  const logits: Record<string, unknown[]> = {};
  for (const [name, task] of tasks) {
    const split = task.splits.get(options.split);
    if (split === undefined) {
      const known = [...task.splits.keys()].join(", ");
      throw new AmalgamError("invalid_argument", `task ${name}: has no split "${options.split}"; it has ${known}`);
    }
    const { task: _, split: __, perItem: ___, ...score } = await scorer.score(weights, name, options.split, { signal });
    scores.push({ task: name, split: options.split, ...score });
    if (options.logits === undefined) continue;
    const texts = split.examples.map(({ text, textPair }) => (textPair === undefined ? text : { text, textPair }));
    const rows = await scorer.logits(weights, texts, { signal });
    logits[name] = rows.map((row, index) => ({ text: split.examples[index]!.text, logits: [...row] }));
  }
  if (options.logits !== undefined) {
    const [first] = Object.values(logits);
    const document = tasks.size === 1 ? { items: first } : { tasks: logits };
    await writeFile(options.logits, JSON.stringify(document));
  }
  if (context.json) return context.printJson({ model: directory, scores });
  const header = ["task", "split", "items", "accuracy, %", "loss"];
  const rows = scores.map(({ task, split, items, accuracy, standardError, loss }) => [
    task,
    split,
    String(items),
    formatAccuracy(accuracy, standardError),
    loss.toFixed(4),
  ]);
  for (const line of formatTable(header, rows)) context.print(line);
}
