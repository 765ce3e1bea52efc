// `amalgam eval`: scores one checkpoint on tasks, as the evaluators of a search do.
import { writeFile } from "node:fs/promises";
import { resolveReference } from "@amalgam/checkpoint";
import {
  createScorer,
  loadTasks,
  readModelDirectory,
  readOwnGraph,
  type Scorer,
  storedIn,
  type Task,
  type TaskScore,
  type TaskSet,
  type Weights,
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
  readonly allowCommands?: boolean;
  readonly itemsOut?: string;
  readonly logits?: string;
  readonly graph?: string;
}

export async function run(context: CommandContext, directory: string, options: EvalOptions): Promise<void> {
  const { signal } = context;
  const { split, allowCommands, provider, threads = defaultThreads() } = options;
  const tasks = await loadTasks(options.task);
  requireSplit(tasks, split);
  const { config, tokenizer, preprocessor, weights, sideFiles } = await readModelDirectory(
    await resolveReference(directory),
    signal,
  );
  const runsCommands = [...tasks.values()].some(({ kind }) => kind === "command");
  await using scorer = await createScorer({
    config,
    stored: storedIn(weights),
    ...(options.graph !== undefined && { graph: await readOwnGraph(options.graph, weights) }),
    tokenizer,
    preprocessor,
    tasks,
    threads,
    provider,
    allowCommands,
    ...(runsCommands && { sideFiles: await sideFiles() }),
  });
  const redraw = context.live ? (await import("log-update")).default : undefined;
  const scores: TaskScore[] = [];
  const logits: Record<string, unknown[]> = {};
  try {
    for (const task of tasks.values()) {
      const count = task.kind === "command" ? "by its command" : `${task.splits.get(split)!.examples.length} items`;
      redraw?.(`scoring ${task.name}, ${count} (${scores.length + 1} of ${tasks.size} tasks)`);
      scores.push(await scorer.score(weights, task.name, split, { signal }));
      if (options.logits !== undefined) logits[task.name] = await logitsOf(scorer, weights, task, split, signal);
    }
  } finally {
    redraw?.clear();
    redraw?.done();
  }
  if (options.logits !== undefined) {
    // One task: `{"items": [...]}`, as tests/interop/transformers_logits.py reads it. Several: `{"tasks": {name: [...]}}`.
    const [items, ...others] = Object.values(logits);
    await writeJson(options.logits, others.length === 0 ? { items } : { tasks: logits });
  }
  if (options.itemsOut !== undefined) {
    await writeJson(options.itemsOut, { model: directory, split, tasks: Object.fromEntries(scores.map(itemResults)) });
  }
  if (context.json) {
    return context.printJson({ model: directory, scores: scores.map(({ perItem: _, ...score }) => score) });
  }
  for (const line of scoreLines(scores)) context.print(line);
}

function requireSplit(tasks: TaskSet, wanted: string): void {
  for (const [name, { splits }] of tasks) {
    if (splits.has(wanted)) continue;
    const known = [...splits.keys()].join(", ");
    throw new AmalgamError("invalid_argument", `task ${name}: has no split "${wanted}"; it has ${known}`);
  }
}

async function logitsOf(
  scorer: Scorer,
  weights: Weights,
  task: Task,
  split: string,
  signal: AbortSignal,
): Promise<unknown[]> {
  if (task.kind === "image_classification") {
    const { examples } = task.splits.get(split)!;
    const rows = await scorer.logits(weights, examples, { signal });
    return rows.map((row, index) => ({ image: examples[index]!.place, logits: [...row] }));
  }
  if (task.kind !== "classification") {
    throw new AmalgamError(
      "invalid_argument",
      `task ${task.name}: --logits is of classification, and this is ${task.kind}`,
    );
  }
  const { examples } = task.splits.get(split)!;
  const texts = examples.map(({ text, textPair }) => (textPair === undefined ? text : { text, textPair }));
  const rows = await scorer.logits(weights, texts, { signal, maxTokens: task.maxTokens });
  return rows.map((row, index) => ({ text: examples[index]!.text, logits: [...row] }));
}

/** What each item of a task brought, in the order of its file; null where a command does not say. */
const itemResults = ({ task, metric, perItem }: TaskScore): [string, unknown] => [
  task,
  { metric, per_item: perItem === undefined ? null : [...perItem] },
];

async function writeJson(path: string, document: unknown): Promise<void> {
  try {
    await writeFile(path, JSON.stringify(document));
  } catch (error) {
    const { code, message } = toAmalgamError(error);
    throw new AmalgamError(code, `${path}: cannot be written: ${message}`, { cause: error });
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
