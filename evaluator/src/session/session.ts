/**
 * Runs programs of one architecture with any number of weight sets: weights are graph inputs, so a new candidate costs no new session, and
 * programs (scores, gradients) share what is loaded. Knows neither text nor tasks.
 */

import type { Weights } from "../weights.ts";
import { InferenceThread } from "./inference-thread.ts";
import { WeightLoader } from "./loaded-weights.ts";
import type { Program, Tensors } from "./program.ts";
import { CPU, providersOf } from "./providers.ts";

export interface SessionOptions {
  /** Shape of every weight that a program may read. */
  readonly weights: ReadonlyMap<string, readonly number[]>;
  /** Runs computed at the same time, each on a thread of its own. The results do not depend on it. */
  readonly threads: number;
  /** onnxruntime's execution provider; `cpu` by default. Part of what decides the last bits. */
  readonly provider?: string;
  /** Budget of converted tensors remembered by digest; twice the model by default, so that two candidates' common tensors stay. */
  readonly cacheBytes?: number;
}

/** A weight set held by a session until it is disposed of. */
export interface LoadedModel extends Disposable {
  readonly id: number;
}

/** A program held by a session until it is disposed of. */
export interface OpenedProgram extends Disposable {
  readonly id: number;
}

/** Runs one after another on one thread, in which what a program carries stays in onnxruntime's memory for the next run, of whichever program. */
export interface Chain {
  /**
   * The outputs that are not carried. An input that is neither fed nor a weight is what was carried to it last.
   * @throws EvaluatorError when onnxruntime fails.
   */
  run(program: OpenedProgram, feeds: Tensors): Promise<Tensors>;
}

export interface Session extends AsyncDisposable {
  /** Bytes of one weight set in float32. */
  readonly weightsBytes: number;
  /** Bytes of all weights held now: loaded sets and remembered tensors, those in both counted twice. */
  readonly heldBytes: number;
  /** @throws EvaluatorError when onnxruntime refuses the graph. */
  open(program: Program): Promise<OpenedProgram>;
  /** @throws EvaluatorError listing missing and misshapen tensors. */
  load(weights: Weights): Promise<LoadedModel>;
  /**
   * All outputs of each run, in the order of `feeds`; the threads share the runs. Feeds that are a function are made when their run begins, so that
   * no more of them are in memory than there are threads. An abort takes effect between runs.
   * @throws EvaluatorError when onnxruntime fails; the signal's reason when it aborts.
   */
  run(
    model: LoadedModel,
    program: OpenedProgram,
    feeds: readonly (Tensors | (() => Tensors))[],
    signal?: AbortSignal,
  ): Promise<Tensors[]>;
  /**
   * What each sequence of runs carries to its end, by output name. A sequence is run in order on one thread, from zeros; the threads share the
   * sequences. An abort takes effect between sequences.
   * @throws EvaluatorError when onnxruntime fails; the signal's reason when it aborts.
   */
  fold(
    model: LoadedModel,
    program: OpenedProgram,
    sequences: readonly (readonly Tensors[])[],
    signal?: AbortSignal,
  ): Promise<Tensors[]>;
  /**
   * What `work` makes of each input with a chain of its own, in the order of the inputs; the threads share the inputs. An abort takes effect
   * between inputs: `work` looks at the signal between its runs.
   */
  chain<I, O>(
    model: LoadedModel,
    inputs: readonly I[],
    work: (chain: Chain, input: I) => Promise<O>,
    signal?: AbortSignal,
  ): Promise<O[]>;
}

/** @throws EvaluatorError for an execution provider that onnxruntime does not have. */
export function createSession(options: SessionOptions): Session {
  const { weights: shapes, threads: count, provider = CPU } = options;
  const providers = providersOf(provider);
  const weightsBytes = shapes.values().reduce((sum, shape) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  const loader = new WeightLoader(shapes, options.cacheBytes ?? 2 * weightsBytes);
  const threads = Array.from({ length: count }, () => new InferenceThread({ providers, shapes }));
  const free = [...threads];
  const waiting: ((thread: InferenceThread) => void)[] = [];
  let models = 0;
  let programs = 0;
  let chains = 0;
  let held = 0;

  const acquire = (): Promise<InferenceThread> | InferenceThread =>
    free.pop() ?? new Promise((resolve) => waiting.push(resolve));
  const release = (thread: InferenceThread): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(thread);
    else next(thread);
  };

  /** Results in the order of `inputs`, whichever thread works on which. */
  const share = async <I, O>(
    inputs: readonly I[],
    work: (thread: InferenceThread, input: I) => Promise<O>,
    signal: AbortSignal | undefined,
  ): Promise<O[]> => {
    const outputs = new Array<O>(inputs.length);
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < inputs.length) {
        const thread = await acquire();
        try {
          signal?.throwIfAborted();
          const i = next++;
          if (i < inputs.length) outputs[i] = await work(thread, inputs[i]!);
        } catch (error) {
          next = inputs.length;
          throw error;
        } finally {
          release(thread);
        }
      }
    };
    // All lanes must be idle before the caller may unload the model, even when one of them failed.
    const lanes = await Promise.allSettled(threads.map(lane));
    const failed = lanes.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    signal?.throwIfAborted();
    return outputs;
  };

  return {
    weightsBytes,
    get heldBytes() {
      return held * weightsBytes + loader.cachedBytes;
    },
    async open(program) {
      const unknown = [...program.weights.keys()].find((name) => !shapes.has(name));
      if (unknown !== undefined) throw new Error(`the program reads ${unknown}, which is no weight of the session`);
      const id = programs++;
      await Promise.all(threads.map((thread) => thread.open(id, program)));
      return {
        id,
        [Symbol.dispose]() {
          for (const thread of threads) thread.close(id);
        },
      };
    },
    async load(weights) {
      const converted = await loader.load(weights);
      const id = models++;
      for (const thread of threads) thread.load(id, converted);
      held++;
      return {
        id,
        [Symbol.dispose]() {
          for (const thread of threads) thread.unload(id);
          held--;
        },
      };
    },
    run: (model, program, feeds, signal) =>
      share(
        feeds,
        (thread, each) => thread.run(model.id, program.id, typeof each === "function" ? each() : each),
        signal,
      ),
    fold: (model, program, sequences, signal) =>
      share(sequences, (thread, each) => thread.fold(model.id, program.id, each), signal),
    chain(model, inputs, work, signal) {
      const chained = async (thread: InferenceThread, input: (typeof inputs)[number]) => {
        const id = chains++;
        try {
          return await work({ run: (program, feeds) => thread.advance(id, model.id, program.id, feeds) }, input);
        } finally {
          thread.drop(id);
        }
      };
      return share(inputs, chained, signal);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}
