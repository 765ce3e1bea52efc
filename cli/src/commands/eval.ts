// `amalgam eval`: scores one checkpoint on tasks, as the evaluators of a search do.
import { writeFile } from "node:fs/promises";
import { resolveReference } from "@amalgam/checkpoint";
import {
  createScorer,
  loadTasks,
  readModelDirectory,
  type Split,
  type TaskScore,
  type TaskSet,
} from "@amalgam/evaluator";
import { AmalgamError, formatScore, scaleOf, toAmalgamError } from "@amalgam/runtime";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../render/table.ts";
import { defaultThreads } from "../roles/local.ts";

export interface EvalOptions {
  readonly task: readonly string[];
  readonly split: string;
  readonly threads?: number;
  readonly provider: string;
  readonly logits?: string;
}

export async function run(context: CommandContext, directory: string, options: EvalOptions): Promise<void> {
  const { signal } = context;
  const tasks = await loadTasks(options.task);
  const chosen = splitsOf(tasks, options.split);
  const { config, tokenizer, weights } = await readModelDirectory(await resolveReference(directory), signal);
  const stored = new Set(weights.names());
  await using scorer = await createScorer({
    config,
    stored: (tensor) => stored.has(tensor),
    tokenizer,
    tasks,
    threads: options.threads ?? defaultThreads(),
    provider: options.provider,
  });
  const redraw = context.live ? (await import("log-update")).default : undefined;
  const scores: TaskScore[] = [];
  const logits: Record<string, unknown[]> = {};
  try {
    for (const { name, split } of chosen) {
      redraw?.(`scoring ${name}, ${split.examples.length} items (${scores.length + 1} of ${chosen.length} tasks)`);
      scores.push(await scorer.score(weights, name, options.split, { signal }));
      if (options.logits === undefined) continue;
      const texts = split.examples.map(({ text, textPair }) => (textPair === undefined ? text : { text, textPair }));
      const rows = await scorer.logits(weights, texts, { signal, maxTokens: tasks.get(name)!.maxTokens });
      logits[name] = rows.map((row, index) => ({ text: split.examples[index]!.text, logits: [...row] }));
    }
  } finally {
    redraw?.clear();
    redraw?.done();
  }
  if (options.logits !== undefined) await writeLogits(options.logits, logits);
  if (context.json) {
    return context.printJson({ model: directory, scores: scores.map(({ perItem: _, ...score }) => score) });
  }
  for (const line of scoreLines(scores)) context.print(line);
}

function splitsOf(tasks: TaskSet, wanted: string): { readonly name: string; readonly split: Split }[] {
  return [...tasks].map(([name, { splits }]) => {
    const split = splits.get(wanted);
    if (split !== undefined) return { name, split };
    const known = [...splits.keys()].join(", ");
    throw new AmalgamError("invalid_argument", `task ${name}: has no split "${wanted}"; it has ${known}`);
  });
}

/** One task: `{"items": [...]}`, as tests/interop/transformers_logits.py reads it. Several: `{"tasks": {name: [...]}}`. */
async function writeLogits(path: string, logits: Readonly<Record<string, unknown[]>>): Promise<void> {
  const [items, ...others] = Object.values(logits);
  const document = others.length === 0 ? { items } : { tasks: logits };
  try {
    await writeFile(path, JSON.stringify(document));
  } catch (error) {
    const { code, message } = toAmalgamError(error);
    throw new AmalgamError(code, `${path}: cannot write the logits: ${message}`, { cause: error });
  }
}

function scoreLines(scores: readonly TaskScore[]): string[] {
  const metrics = new Set(scores.map(({ metric }) => metric));
  const [metric] = metrics;
  const rows = scores.map((score) => [
    score.task,
    score.split,
    String(score.items),
    ...(metrics.size > 1 ? [scaleOf(score.metric).title] : []),
    formatScore(score.metric, score.score, score.standardError),
    score.loss.toFixed(4),
  ]);
  if (metrics.size > 1) return formatTable(["task", "split", "items", "metric", "score", "loss"], rows);
  const header = ["task", "split", "items", scaleOf(metric!).title, "loss"];
  if (scores.length === 1) return formatTable(header, rows);
  const mean = scores.reduce((sum, { score }) => sum + score / scores.length, 0);
  // The standard error of a mean of independent samples.
  const standardError = Math.hypot(...scores.map((score) => score.standardError)) / scores.length;
  return formatTable(header, [...rows, "rule", ["mean", "", "", formatScore(metric!, mean, standardError), ""]]);
}
