/** Scores weight sets of one architecture on labelled tasks. The evaluator role and `amalgam eval` are thin layers over this. */

import { type Batch, feedsOf, scatterRows } from "./batches.ts";
import { Datasets } from "./datasets.ts";
import { EvaluatorError } from "./errors.ts";
import { type EstimateOptions, type FisherEstimate, FisherEstimator } from "./fisher/estimate.ts";
import { readSample, type SampleOptions } from "./fisher/items.ts";
import { activationBytesPerToken } from "./graph/activation-bytes.ts";
import type { BuiltModel } from "./graph/families/family.ts";
import { logitsName } from "./graph/families/family.ts";
import { buildModel } from "./graph/families/index.ts";
import { logitsHead } from "./graph/heads.ts";
import { type Part, WHOLE } from "./pieces.ts";
import { programOf } from "./program.ts";
import { ResidentModels } from "./resident-models.ts";
import { type ItemScores, scoreClassification } from "./score.ts";
import { createSession } from "./session.ts";
import type { Task, TaskSet } from "./task.ts";
import { createTokenizer, type TextTokenizer, type TokenizerFiles } from "./tokenize.ts";
import type { Weights } from "./weights.ts";

export interface ScorerOptions {
  /** The parsed `config.json`. */
  readonly config: unknown;
  /** Whether the models have a tensor of this name, which says how they store weights that modules share; see {@link buildModel}. */
  readonly stored?: (tensor: string) => boolean;
  readonly tokenizer: TokenizerFiles;
  readonly tasks: TaskSet;
  /** Batches computed at the same time, each on a thread of its own. Scores do not depend on it. */
  readonly threads: number;
  /** onnxruntime's execution provider; `cpu` by default. */
  readonly provider?: string;
  /** Most items in a batch; scores depend on it in the last bits only. */
  readonly batchItems?: number;
  /** Weight sets kept loaded between scores. */
  readonly residentModels?: number;
}

export interface TaskScore extends ItemScores {
  readonly task: string;
  readonly split: string;
}

export interface ScoreOptions {
  /** Takes effect between batches. */
  readonly signal?: AbortSignal | undefined;
  /** Scores these items only; all by default. */
  readonly part?: Part;
}

export interface LogitsOptions extends Pick<ScoreOptions, "signal"> {
  /** Longer texts are cut, as a task's are; by default to the longest sequence the model takes. */
  readonly maxTokens?: number;
}

export interface FisherOptions extends SampleOptions, EstimateOptions {}

export interface TextPair {
  readonly text: string;
  readonly textPair: string;
}

export interface Scorer extends AsyncDisposable {
  /** Bytes of one weight set in float32. */
  readonly weightsBytes: number;
  /** Bytes of all weights held now. */
  readonly heldBytes: number;
  /**
   * Scores a weight set on one split of a task, or on a part of it. A part without items gives a score of zeros. Further scores of the same object convert nothing.
   * @throws EvaluatorError for an unknown task or split, weights that do not fit the model, or non-finite logits; the signal's reason.
   */
  score(weights: Weights, task: string, split: string, options?: ScoreOptions): Promise<TaskScore>;
  /** All logits `[labels]` of each text. */
  logits(weights: Weights, texts: readonly (string | TextPair)[], options?: LogitsOptions): Promise<Float32Array[]>;
  /**
   * Estimates the diagonal Fisher information of a weight set on items of a task's split: the mean over the items of the part, and how many they
   * are, so that parts are put together by their weighted mean. A part without items has no tensors.
   * @throws EvaluatorError as `score` does, and when a gradient cannot be had; the signal's reason.
   */
  fisher(weights: Weights, task: string, split: string, options?: FisherOptions): Promise<FisherEstimate>;
}

/** Measured with 1M parameters and 20 tokens: 16 to 128 cost the same CPU time, and an abort waits for a batch. */
const defaultBatchItems = 32;
/** Tokens of a batch at most, fewer where the model is wide: what one thread's activations may take. The same on every machine, as the batches must be. */
const batchTokens = 4096;
const batchBytes = 2 ** 28;
const noItems: ItemScores = {
  items: 0,
  metric: "accuracy",
  score: 0,
  standardError: 0,
  loss: 0,
  perItem: new Uint8Array(0),
};
/** One candidate under evaluation and the one that its last tasks overlap with. */
const defaultResidentModels = 2;

/**
 * Builds the model's graph, starts the threads and checks the tasks against the model.
 * @throws EvaluatorError for an unsupported architecture, a broken tokenizer, or all tasks that do not fit the model.
 */
export async function createScorer(options: ScorerOptions): Promise<Scorer> {
  const tokenizer = createTokenizer(options.tokenizer);
  const model = buildModel(options.config, options.stored);
  const problems = [...options.tasks.values()].flatMap((task) => misfits(task, model, tokenizer));
  if (problems.length > 0) throw new EvaluatorError(problems);
  const graph = logitsHead(model);
  await using scope = new AsyncDisposableStack();
  const session = scope.use(createSession({ ...options, weights: graph.weights }));
  const program = await session.open(programOf(graph));
  const tokens = Math.min(batchTokens, Math.floor(batchBytes / activationBytesPerToken(model)));
  const limits = { items: options.batchItems ?? defaultBatchItems, tokens };
  const { maxTokens = Number.MAX_SAFE_INTEGER, vocabularySize = 0 } = model;
  const datasets = new Datasets(options.tasks, tokenizer, vocabularySize, limits);
  const models = new ResidentModels(session, options.residentModels ?? defaultResidentModels);

  const estimator = new FisherEstimator(session, models, () => buildModel(options.config), options.threads);

  const infer = (weights: Weights, batches: readonly Batch[], signal?: AbortSignal): Promise<Float32Array[]> =>
    models.use(weights, async (model) => {
      const outputs = await session.run(model, program, batches.map(feedsOf), signal);
      return scatterRows(
        batches,
        outputs.map((output) => output[logitsName]!),
      );
    });

  const opened = scope.move();
  return {
    weightsBytes: session.weightsBytes,
    get heldBytes() {
      return session.heldBytes;
    },
    async score(weights, taskName, splitName, { signal, part = WHOLE } = {}) {
      signal?.throwIfAborted();
      const { batches, task, path, examples } = await datasets.get(taskName, splitName, part);
      if (examples.length === 0) return { task: taskName, split: splitName, ...noItems };
      const rows = await infer(weights, batches, signal);
      const labelled = rows.map((logits, item) => ({ logits, label: examples[item]!.label }));
      const slice = { offset: task.labelOffset, labels: task.labels.length };
      const place = (item: number): string => `${path}:${examples[item]!.line}`;
      return { task: taskName, split: splitName, ...scoreClassification(labelled, slice, place) };
    },
    async logits(weights, texts, { signal, maxTokens: wanted = maxTokens } = {}) {
      signal?.throwIfAborted();
      const items = texts.map((item, i) => {
        const pair = typeof item === "string" ? { text: item, textPair: undefined } : item;
        return { ...pair, place: `text ${i + 1}` };
      });
      return infer(weights, await datasets.batch(items, Math.min(wanted, maxTokens)), signal);
    },
    async fisher(weights, task, split, options = {}) {
      options.signal?.throwIfAborted();
      const { head, items } = await readSample(datasets, task, split, options);
      return estimator.estimate(weights, head, items, options);
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** What a task asks that the model or the tokenizer cannot give. */
function misfits(
  task: Task,
  { labels = 0, maxTokens = Number.MAX_SAFE_INTEGER }: BuiltModel,
  tokenizer: TextTokenizer,
): string[] {
  const problems: string[] = [];
  const end = task.labelOffset + task.labels.length;
  if (end > labels) {
    const range = `${task.labelOffset} to ${end - 1}`;
    problems.push(`task ${task.name}: its labels are logits ${range}, but config.json's id2label has ${labels}`);
  }
  if (task.maxTokens > maxTokens) {
    const most = `config.json's max_position_embeddings is ${maxTokens}`;
    problems.push(`task ${task.name}: max_tokens is ${task.maxTokens}, but ${most}`);
  }
  if (task.maxTokens <= tokenizer.specialTokens) {
    problems.push(`task ${task.name}: max_tokens is ${task.maxTokens}, which the special tokens fill already`);
  }
  return problems;
}
