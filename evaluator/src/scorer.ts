/** Scores weight sets of one architecture on labelled tasks. The evaluator role and `amalgam eval` are thin layers over this. */

import { scoreByCommand } from "./command/score-command.ts";
import { EvaluatorError } from "./errors.ts";
import { type EstimateOptions, type FisherEstimate, FisherEstimator } from "./fisher/estimate.ts";
import { readSample, type SampleOptions } from "./fisher/items.ts";
import { activationBytesPerToken } from "./graph/activation-bytes.ts";
import type { ImageItem } from "./images/reader.ts";
import { type ModelTask, measureOf } from "./measures/index.ts";
import type { Bench, Portion } from "./measures/measure.ts";
import type { ItemScores } from "./score.ts";
import { ModelRunner } from "./session/model-runner.ts";
import { openSubject, type Subject, type SubjectOptions } from "./subject.ts";
import { Datasets, type Text } from "./tasks/datasets.ts";
import { type Part, WHOLE } from "./tasks/pieces.ts";
import type { Split, Task, TaskSet } from "./tasks/task.ts";
import type { Weights } from "./weights.ts";

export interface ScorerOptions extends SubjectOptions {
  /** What commands find beside the weights, by name: config.json, the tokenizer's files. */
  readonly sideFiles?: ReadonlyMap<string, Uint8Array>;
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

/** Bytes of an image file, or pixels. */
export type Image = Pick<ImageItem, "image">;

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
  /** All logits `[labels]` of each text, or each image where the model reads images. */
  logits(
    weights: Weights,
    items: readonly (string | TextPair)[] | readonly Image[],
    options?: LogitsOptions,
  ): Promise<Float32Array[]>;
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
/** One candidate under evaluation and the one that its last tasks overlap with. */
const defaultResidentModels = 2;

/**
 * Builds the model's graph, starts the threads and checks the tasks against the model. Where all tasks are commands it needs neither.
 * @throws EvaluatorError for an unsupported architecture, a broken tokenizer, all tasks that do not fit the model, or commands that are not allowed.
 */
export async function createScorer(options: ScorerOptions): Promise<Scorer> {
  const { tasks, sideFiles = new Map() } = options;
  const subject = openSubject(options);
  const bench = subject && openBench(subject, options);
  const { session } = bench?.runner ?? {};
  const ready = (): ModelBench => {
    if (bench === undefined) throw new EvaluatorError("all tasks are commands: there is no model that is run here");
    return bench;
  };

  return {
    weightsBytes: session?.weightsBytes ?? 0,
    get heldBytes() {
      return session?.heldBytes ?? 0;
    },
    async score(weights, taskName, splitName, { signal, part = WHOLE } = {}) {
      signal?.throwIfAborted();
      const { task, split } = find(tasks, taskName, splitName);
      if (task.kind === "command") {
        if (part.end - part.first < part.pieces) {
          throw new EvaluatorError(`task ${taskName}: a command scores all items, not a part of them`);
        }
        const scores = await scoreByCommand(task, splitName, { weights, sideFiles }, signal);
        return { task: taskName, split: splitName, ...scores };
      }
      const portion = { task, name: splitName, split, part } as Portion<ModelTask["kind"]>;
      const scores = await measureOf(task).score(portion, weights, ready(), signal);
      return { task: taskName, split: splitName, ...scores };
    },
    async logits(weights, items, { signal, maxTokens } = {}) {
      signal?.throwIfAborted();
      const { runner, datasets, images } = ready();
      const most = runner.model.maxTokens ?? Number.MAX_SAFE_INTEGER;
      const inputs =
        images === undefined
          ? await datasets.encode(
              (items as readonly (string | TextPair)[]).map(placedText),
              Math.min(maxTokens ?? most, most),
            )
          : await images.read((items as readonly Image[]).map(({ image }, i) => ({ image, place: `image ${i + 1}` })));
      return runner.logits(weights, datasets.batches(inputs), signal);
    },
    async fisher(weights, taskName, splitName, fisherOptions = {}) {
      fisherOptions.signal?.throwIfAborted();
      const { task, split } = find(tasks, taskName, splitName);
      const { estimator, ...rest } = ready();
      return estimator.estimate(weights, await readSample(rest, task, split, fisherOptions), fisherOptions);
    },
    async [Symbol.asyncDispose]() {
      await bench?.runner[Symbol.asyncDispose]();
    },
  };
}

interface ModelBench extends Bench {
  readonly estimator: FisherEstimator;
}

function openBench(subject: Subject, options: ScorerOptions): ModelBench {
  const { build, tokenizer, images, model } = subject;
  const { residentModels = defaultResidentModels, threads, batchItems = defaultBatchItems } = options;
  const runner = new ModelRunner(build, { ...options, residentModels });
  const tokens = Math.min(batchTokens, Math.floor(batchBytes / activationBytesPerToken(model)));
  const limits = { items: batchItems, tokens };
  const datasets = new Datasets(tokenizer, model.vocabularySize ?? 0, limits);
  const estimator = new FisherEstimator(runner.session, runner.models, build, threads, limits);
  return { runner, datasets, images, estimator };
}

/** A text that was asked for with no file to name. */
function placedText(item: string | TextPair, index: number): Text {
  const pair = typeof item === "string" ? { text: item, textPair: undefined } : item;
  return { ...pair, place: `text ${index + 1}` };
}

/** @throws EvaluatorError for a task or split that does not exist */
function find(tasks: TaskSet, taskName: string, splitName: string): { readonly task: Task; readonly split: Split } {
  const task = tasks.get(taskName);
  if (task === undefined) throw new EvaluatorError(`no task is named "${taskName}" (${listed(tasks)})`);
  const split = task.splits.get(splitName);
  if (split !== undefined) return { task, split };
  throw new EvaluatorError(`task ${taskName}: no split is named "${splitName}" (${listed(task.splits)})`);
}

const listed = (known: ReadonlyMap<string, unknown>): string => [...known.keys()].join(", ");
