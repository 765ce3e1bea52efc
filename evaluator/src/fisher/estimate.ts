/**
 * Estimates the diagonal Fisher information of a weight set on items of a task, one example at a time:
 * `F = (1/N) sum_x sum_c w_c (d l_c / d theta)^2`, with the answers c and weights w of the estimator (see answers.ts).
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { EvaluatorError } from "../errors.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import type { BatchLimits } from "../session/batches.ts";
import type { Tensors } from "../session/program.ts";
import type { ResidentModels } from "../session/resident-models.ts";
import type { LoadedModel, OpenedProgram, Session } from "../session/session.ts";
import type { Weights } from "../weights.ts";
import { AnswerChooser, type FisherSample } from "./answer-chooser.ts";
import type { Estimator } from "./answers.ts";
import { KeptPrograms } from "./kept-programs.ts";
import { type AnswerHead, type HeadKind, type SquaresProgram, squaresProgram } from "./programs.ts";
import { rangesOf } from "./ranges.ts";
import { type AnsweredItem, runsOf } from "./runs.ts";

export interface FisherEstimate {
  /** How many items the estimate is the mean of. */
  readonly items: number;
  /** Float32 values of each tensor that the model reads, by name; a tensor that it does not read has none, and counts as zeros. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** What an estimate has come to: the sums, not yet divided, over its first `items` items, a number at which a range ends. */
export interface RunningSum {
  readonly items: number;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

export interface EstimateOptions {
  /** Exact by default; sampled where the answers are all texts. */
  readonly estimator?: Estimator | undefined;
  /** Names of the tensors that are wanted; all by default. */
  readonly tensors?: ReadonlySet<string> | undefined;
  /** Takes effect between runs of the model. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on from what an earlier estimate of the same items and tensors had summed. */
  readonly from?: RunningSum | undefined;
  /** Called after each range of items; the sums change when it has settled. */
  readonly onRange?: ((sum: RunningSum) => Promise<void> | void) | undefined;
}

interface Squares extends SquaresProgram, Disposable {
  readonly opened: OpenedProgram;
}

/** Programs kept open: of both kinds of heads for the tensors that a search merges. */
const programsKept = 2;

export class FisherEstimator {
  readonly #session: Session;
  readonly #models: ResidentModels;
  readonly #build: () => BuiltModel;
  readonly #threads: number;
  readonly #answers: AnswerChooser;
  /** Names of the tensors that the model reads. */
  #read: readonly string[] | undefined;
  readonly #squares = new KeptPrograms<Squares>(programsKept);

  /**
   * @param build the session's model, a graph of its own at each call
   * @param threads how many the session has
   * @param limits of a forward pass
   */
  constructor(session: Session, models: ResidentModels, build: () => BuiltModel, threads: number, limits: BatchLimits) {
    this.#session = session;
    this.#models = models;
    this.#build = build;
    this.#threads = threads;
    this.#answers = new AnswerChooser(session, build, limits);
  }

  /**
   * The estimate from these items: the same bits whatever the number of threads.
   * @throws EvaluatorError for weights that do not fit the model or give numbers that are not finite; the signal's reason.
   */
  async estimate(weights: Weights, sample: FisherSample, options: EstimateOptions): Promise<FisherEstimate> {
    const { head, items, openEnded } = sample;
    const { tensors, signal, estimator = openEnded ? "sampled" : "exact" } = options;
    signal?.throwIfAborted();
    if (openEnded && estimator === "exact") {
      throw new EvaluatorError(
        `task ${sample.task}: its answers are all texts, and no expectation over them can be exact: estimate by "sampled" or "empirical"`,
      );
    }
    this.#read ??= [...this.#build().graph.weights.keys()];
    const wanted = tensors === undefined ? this.#read : this.#read.filter((name) => tensors.has(name));
    if (wanted.length === 0 || items.length === 0) return { items: items.length, tensors: new Map() };
    const total: Sums = new Map(options.from?.tensors);
    const done = options.from?.items ?? 0;
    if (done < items.length) {
      await this.#models.use(weights, async (model) => {
        const answered = await this.#answers.choose(model, sample, estimator, signal);
        const open = (): Promise<Squares> => this.#openSquares(head.kind, wanted);
        await this.#squares.use(JSON.stringify([head.kind, wanted]), open, (squares) =>
          this.#sum(model, head, squares, { items: answered, done, total }, options),
        );
      });
    }
    return { items: items.length, tensors: await meanOf(total, items.length) };
  }

  async #openSquares(kind: HeadKind, wanted: readonly string[]): Promise<Squares> {
    const squares = await squaresProgram(this.#build(), kind, wanted);
    const opened = await this.#session.open(squares.program);
    return { ...squares, opened, [Symbol.dispose]: () => opened[Symbol.dispose]() };
  }

  /** Ranges are summed by the threads, a few at a time, and added to the total in their order. */
  async #sum(
    model: LoadedModel,
    head: AnswerHead,
    { opened, limits, tensors }: Squares,
    { items, done, total }: { readonly items: readonly AnsweredItem[]; readonly done: number; readonly total: Sums },
    { signal, onRange }: EstimateOptions,
  ): Promise<void> {
    const ranges = rangesOf(items.length).filter(({ begin }) => begin >= done);
    const sums: Promise<Tensors[]>[] = [];
    try {
      for (const [index, { end }] of ranges.entries()) {
        signal?.throwIfAborted();
        // One more than there are threads, so that none waits; not all, for each result has the size of the model.
        for (const next of ranges.slice(sums.length, index + this.#threads + 1)) {
          const runs = runsOf(head, items.slice(next.begin, next.end), limits);
          const sum = this.#session.fold(model, opened, [runs], signal);
          // Whoever comes to it hears of a failure; meanwhile it is not unheard of.
          sum.catch(() => {});
          sums.push(sum);
        }
        const [sum] = await sums[index]!;
        sums[index] = Promise.resolve([]);
        await addTo(total, tensors, sum!);
        await onRange?.({ items: end, tensors: total });
      }
    } finally {
      // The threads must be done with the model before it may be unloaded, also when one of them failed.
      await Promise.allSettled(sums);
    }
  }
}

type Sums = Map<string, Float32Array>;

/** Adds a range's sums; the first range's become the total. */
async function addTo(total: Sums, tensors: ReadonlyMap<string, string>, sum: Tensors): Promise<void> {
  for (const [output, tensor] of tensors) {
    const values = sum[output]!.data as Float32Array;
    const before = total.get(tensor);
    if (before === undefined) total.set(tensor, values);
    else for (let i = 0; i < before.length; i++) before[i]! += values[i]!;
    // A large model's sums take seconds; others on this thread must have their turn.
    await nextTurn();
  }
}

async function meanOf(total: Sums, items: number): Promise<Sums> {
  for (const [tensor, values] of total) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i]! /= items;
    if (!Number.isFinite(sum)) {
      throw new EvaluatorError(`tensor ${tensor}: non-finite squared gradients: the weights hold huge values`);
    }
    await nextTurn();
  }
  return total;
}
