/** Texts as the model takes them: checked against its vocabulary, batched, and tokenised once for each task, split and part of it. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Batch, type BatchLimits, type Encoding, makeBatches } from "./batches.ts";
import { EvaluatorError } from "./errors.ts";
import { itemsOfPart, type Part } from "./pieces.ts";
import type { Split, Task, TaskSet } from "./task.ts";
import type { Example } from "./task-data.ts";
import type { TextTokenizer } from "./tokenize.ts";

export interface Text {
  readonly text: string;
  readonly textPair: string | undefined;
  /** Where the text comes from, for messages. */
  readonly place: string;
}

export interface Dataset {
  readonly task: Task;
  /** The data file, for messages. */
  readonly path: string;
  /** The items of the part, in the order of the file. */
  readonly examples: readonly Example[];
  readonly batches: readonly Batch[];
}

/** Texts tokenised before others on this thread have their turn. */
const textsPerTurn = 256;

export class Datasets {
  readonly #tasks: TaskSet;
  readonly #tokenizer: TextTokenizer;
  readonly #vocabularySize: number;
  readonly #limits: BatchLimits;
  readonly #prepared = new Map<string, Promise<Dataset>>();

  constructor(tasks: TaskSet, tokenizer: TextTokenizer, vocabularySize: number, limits: BatchLimits) {
    this.#tasks = tasks;
    this.#tokenizer = tokenizer;
    this.#vocabularySize = vocabularySize;
    this.#limits = limits;
  }

  /** @throws EvaluatorError for a task or split that does not exist, or a text whose ids the model does not have. */
  get(taskName: string, splitName: string, part: Part): Promise<Dataset> {
    const key = JSON.stringify([taskName, splitName, part.pieces, part.first, part.end]);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const prepared = this.#prepare(taskName, splitName, part);
    this.#prepared.set(key, prepared);
    return prepared;
  }

  /** @throws EvaluatorError for a text whose ids the model does not have. */
  async batch(texts: readonly Text[], maxTokens: number): Promise<Batch[]> {
    return makeBatches(await this.encode(texts, maxTokens), this.#limits);
  }

  /** @throws EvaluatorError for a text whose ids the model does not have. */
  async encode(texts: readonly Text[], maxTokens: number): Promise<Encoding[]> {
    const encodings: Encoding[] = [];
    for (const { text, textPair, place } of texts) {
      const encoding = this.#tokenizer.encode(text, textPair, maxTokens);
      const outside = encoding.ids.find((id) => id >= this.#vocabularySize);
      if (outside !== undefined) {
        throw new EvaluatorError(
          `${place}: tokenizer.json gives id ${outside}, but config.json's vocab_size is ${this.#vocabularySize}`,
        );
      }
      if (encodings.push(encoding) % textsPerTurn === 0) await nextTurn();
    }
    return encodings;
  }

  /** @throws EvaluatorError for a task or split that does not exist. */
  find(taskName: string, splitName: string): { readonly task: Task; readonly split: Split } {
    const task = this.#tasks.get(taskName);
    if (task === undefined) throw new EvaluatorError(`no task is named "${taskName}" (${list(this.#tasks)})`);
    const split = task.splits.get(splitName);
    if (split === undefined) {
      throw new EvaluatorError(`task ${taskName}: no split is named "${splitName}" (${list(task.splits)})`);
    }
    return { task, split };
  }

  async #prepare(taskName: string, splitName: string, part: Part): Promise<Dataset> {
    const { task, split } = this.find(taskName, splitName);
    const { path } = split;
    const examples = itemsOfPart(split.examples.length, part).map((item) => split.examples[item]!);
    const texts = examples.map((example) => ({ ...example, place: `${path}:${example.line}` }));
    return { task, path, examples, batches: await this.batch(texts, task.maxTokens) };
  }
}

function list(known: ReadonlyMap<string, unknown>): string {
  return [...known.keys()].join(", ");
}
