/** Items as the model takes them: texts checked against its vocabulary, and made ready once for each task, split and part of it. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { EvaluatorError } from "../errors.ts";
import { type Batch, type BatchLimits, type Encoding, type ModelInput, makeBatches } from "../session/batches.ts";
import { itemsOfPart, type Part } from "./pieces.ts";
import type { Split, Task } from "./task.ts";
import type { TextTokenizer } from "./tokenize.ts";

/** Where something comes from, for messages. */
export interface Placed {
  readonly place: string;
}

export interface Text extends Placed {
  readonly text: string;
  readonly textPair: string | undefined;
}

/** Texts tokenised before others on this thread have their turn. */
const textsPerTurn = 256;

export class Datasets {
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #vocabularySize: number;
  readonly #limits: BatchLimits;
  readonly #prepared = new Map<string, Promise<unknown>>();

  /** @param tokenizer of a model that reads texts */
  constructor(tokenizer: TextTokenizer | undefined, vocabularySize: number, limits: BatchLimits) {
    this.#tokenizer = tokenizer;
    this.#vocabularySize = vocabularySize;
    this.#limits = limits;
  }

  get tokenizer(): TextTokenizer {
    if (this.#tokenizer === undefined) throw new Error("the model reads no texts");
    return this.#tokenizer;
  }

  /** What `prepare` makes of a part of a split, made once. */
  prepared<T>(task: Pick<Task, "name">, split: string, part: Part, prepare: () => Promise<T>): Promise<T> {
    const key = JSON.stringify([task.name, split, part.pieces, part.first, part.end]);
    const known = this.#prepared.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const made = prepare();
    this.#prepared.set(key, made);
    return made;
  }

  batches(inputs: readonly ModelInput[]): Batch[] {
    return makeBatches(inputs, this.#limits);
  }

  /** @throws EvaluatorError for a text whose ids the model does not have. */
  encode(texts: readonly Text[], maxTokens: number): Promise<Encoding[]> {
    return this.encodeEach(texts, ({ text, textPair }) => [this.tokenizer.encode(text, textPair, maxTokens)]);
  }

  /**
   * Encodings of all items, in their order, and those of one item in theirs.
   * @throws EvaluatorError for an item whose ids the model does not have.
   */
  async encodeEach<T extends Placed>(
    items: readonly T[],
    encodingsOf: (item: T) => readonly Encoding[],
  ): Promise<Encoding[]> {
    const encodings: Encoding[] = [];
    for (const [index, item] of items.entries()) {
      for (const encoding of encodingsOf(item)) {
        this.#check(encoding, item.place);
        encodings.push(encoding);
      }
      if (index % textsPerTurn === textsPerTurn - 1) await nextTurn();
    }
    return encodings;
  }

  #check({ ids, targets }: Encoding, place: string): void {
    const tooHigh = (id: number): boolean => id >= this.#vocabularySize;
    const outside = ids.find(tooHigh) ?? targets?.ids.find(tooHigh);
    if (outside === undefined) return;
    throw new EvaluatorError(
      `${place}: tokenizer.json gives id ${outside}, but config.json's vocab_size is ${this.#vocabularySize}`,
    );
  }
}

/** The items of a part of a split in their own order, each with its place. */
export function itemsOf<E extends { readonly line: number }>({ path, examples }: Split<E>, part: Part): (E & Placed)[] {
  return itemsOfPart(examples.length, part).map((item) => {
    const example = examples[item]!;
    return { ...example, place: `${path}:${example.line}` };
  });
}
