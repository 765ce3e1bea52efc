/** Chooses the answers of each item that an estimate differentiates: looks at what the model gives to them, or draws what it would write. */

import type { BuiltModel } from "../graph/families/family.ts";
import { likelihoodNames, targetNames } from "../graph/heads.ts";
import {
  type Batch,
  type BatchLimits,
  type Encoding,
  feedsOf,
  type ModelInput,
  makeBatches,
  scatterRows,
} from "../session/batches.ts";
import { requireFinite } from "../session/model-runner.ts";
import { float32, type Tensors } from "../session/program.ts";
import type { LoadedModel, OpenedProgram, Session } from "../session/session.ts";
import { answersOf, type Estimator } from "./answers.ts";
import { KeptPrograms } from "./kept-programs.ts";
import { type AnswerHead, drawNames, drawProgram, headFeeds, likelihoodProgram } from "./programs.ts";
import type { AnsweredItem } from "./runs.ts";

/** An item as an estimate reads it. */
export interface FisherItem {
  /** Where the item comes from, for messages. */
  readonly place: string;
  /** One text or image that has all answers where they are labels, else a text for each answer. */
  readonly texts: readonly ModelInput[];
  /** The right answer. */
  readonly truth: number;
  /** Uniform numbers in [0, 1) for what is drawn of it; the first ones where fewer are asked for. */
  readonly draws: (count: number) => Float32Array;
}

/** Items of a task, and what their answers are. */
export interface FisherSample {
  /** The task's name, for messages. */
  readonly task: string;
  readonly head: AnswerHead;
  /** Whether the answers are all texts, of which an item has one: the right one, or one that is drawn. */
  readonly openEnded: boolean;
  readonly items: readonly FisherItem[];
}

/** Programs kept open: of labels, of tokens, and of draws. */
const programsKept = 3;

export class AnswerChooser {
  readonly #session: Session;
  readonly #build: () => BuiltModel;
  readonly #limits: BatchLimits;
  readonly #programs = new KeptPrograms<OpenedProgram>(programsKept);

  /** @param limits of a forward pass */
  constructor(session: Session, build: () => BuiltModel, limits: BatchLimits) {
    this.#session = session;
    this.#build = build;
    this.#limits = limits;
  }

  /** @throws EvaluatorError for log-likelihoods that are not finite, naming the item. */
  async choose(
    model: LoadedModel,
    { head, items, openEnded }: FisherSample,
    estimator: Estimator,
    signal: AbortSignal | undefined,
  ): Promise<AnsweredItem[]> {
    if (openEnded) {
      const texts = estimator === "sampled" ? await this.#drawn(model, items, signal) : items.map((item) => item.texts);
      return texts.map((each) => ({ texts: each, answers: [{ answer: 0, weight: 1 }] }));
    }
    const likelihoods = estimator === "empirical" ? [] : await this.#logLikelihoods(model, head, items, signal);
    return items.map(({ texts, truth, draws }, index) => ({
      texts,
      answers: answersOf(estimator, likelihoods[index] ?? [], { truth, uniform: draws(1)[0]! }),
    }));
  }

  /** Log-likelihoods of the answers of each item. */
  async #logLikelihoods(
    model: LoadedModel,
    head: AnswerHead,
    items: readonly FisherItem[],
    signal: AbortSignal | undefined,
  ): Promise<number[][]> {
    const batches = makeBatches(
      items.flatMap(({ texts }) => texts),
      this.#limits,
    );
    const open = (): Promise<OpenedProgram> => this.#session.open(likelihoodProgram(this.#build(), head.kind));
    const feeds = batches.map((batch) => ({ ...feedsOf(batch), ...headFeeds(head) }));
    const outputs = await this.#programs.use(head.kind, open, (program) =>
      this.#session.run(model, program, feeds, signal),
    );
    const rows = scatterRows(
      batches,
      outputs.map((output) => output[likelihoodNames[head.kind]]!),
    );
    const own = (row: Float32Array): Float32Array =>
      head.kind === "labels" ? row.subarray(head.offset, head.offset + head.labels) : row;
    const starts = [0];
    for (const { texts } of items) starts.push(starts.at(-1)! + texts.length);
    return items.map(({ place }, index) => {
      const values = rows.slice(starts[index], starts[index + 1]).flatMap((row) => [...own(row)]);
      requireFinite(values, "log-likelihoods", place);
      return values;
    });
  }

  /** The texts with tokens in place of the right ones that the model would have written there, each after those that were there before it. */
  async #drawn(
    model: LoadedModel,
    items: readonly FisherItem[],
    signal: AbortSignal | undefined,
  ): Promise<(readonly Encoding[])[]> {
    const batches = makeBatches(
      items.map(({ texts }) => texts[0]!),
      this.#limits,
    );
    const open = (): Promise<OpenedProgram> => this.#session.open(drawProgram(this.#build()));
    const feeds = batches.map((batch) => withUniform(feedsOf(batch), batch, items));
    const outputs = await this.#programs.use("draw", open, (program) =>
      this.#session.run(model, program, feeds, signal),
    );
    const drawn = new Map(
      batches.flatMap(({ items: rows }, at) => {
        const { data } = outputs[at]![drawNames.tokens]!;
        const places = data.length / rows.length;
        return rows.map((item, row) => [item, data.subarray(row * places, (row + 1) * places)] as const);
      }),
    );
    return items.map(({ texts }, item) => {
      const text = texts[0] as Encoding;
      const { ids, ...targets } = text.targets!;
      return [{ ...text, targets: { ...targets, ids: ids.map((_, at) => drawn.get(item)![at]!) } }];
    });
  }
}

/** Adds a uniform number for each place at which the model gives something to a target. */
function withUniform(feeds: Tensors, { items: rows }: Batch, items: readonly FisherItem[]): Tensors {
  const { dims } = feeds[targetNames.targets]!;
  const places = dims[1]!;
  const uniform = new Float32Array(rows.length * places);
  for (const [row, item] of rows.entries()) uniform.set(items[item]!.draws(places), row * places);
  return { ...feeds, [drawNames.uniform]: float32(dims, uniform) };
}
