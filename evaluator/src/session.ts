/**
 * Runs one encoder architecture on batches, with any number of weight sets: weights are graph inputs, so a new candidate costs no new
 * session. Knows neither text nor tasks.
 */

import type { Batch } from "./batches.ts";
import { onnxBytes } from "./graph/builder.ts";
import type { ClassifierGraph } from "./graph/families/family.ts";
import { buildClassifier } from "./graph/families/index.ts";
import { InferenceThread } from "./inference-thread.ts";
import { WeightLoader } from "./loaded-weights.ts";
import type { Weights } from "./weights.ts";

export interface SessionOptions {
  /** The parsed `config.json`. */
  readonly config: unknown;
  /** Batches computed at the same time, each on a thread of its own. The results do not depend on it. */
  readonly threads: number;
  /** Budget of converted tensors remembered by digest; twice the model by default, so that two candidates' common tensors stay. */
  readonly cacheBytes?: number;
}

/** A weight set held by a session until it is disposed of. */
export interface LoadedModel extends Disposable {
  readonly id: number;
}

export interface EncoderSession extends AsyncDisposable {
  readonly classifier: ClassifierGraph;
  /** Bytes of one weight set in float32. */
  readonly weightsBytes: number;
  /** Bytes of all weights held now: loaded sets and remembered tensors, those in both counted twice. */
  readonly heldBytes: number;
  /** @throws EvaluatorError listing missing and misshapen tensors. */
  load(weights: Weights): Promise<LoadedModel>;
  /**
   * Logits `[items, labels]` of each batch, in the order of the batches. An abort takes effect between batches.
   * @throws EvaluatorError when onnxruntime fails; the signal's reason when it aborts.
   */
  run(model: LoadedModel, batches: readonly Batch[], signal?: AbortSignal): Promise<Float32Array[]>;
}

/** @throws EvaluatorError for an architecture that is not supported or a config with wrong keys. */
export async function createEncoderSession(options: SessionOptions): Promise<EncoderSession> {
  const classifier = buildClassifier(options.config);
  const shapes = classifier.graph.weights;
  const weightsBytes = shapes.values().reduce((sum, shape) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  const loader = new WeightLoader(shapes, options.cacheBytes ?? 2 * weightsBytes);
  const threads = await startThreads(options.threads, classifier);
  const free = [...threads];
  const waiting: ((thread: InferenceThread) => void)[] = [];
  let models = 0;
  let held = 0;

  const acquire = (): Promise<InferenceThread> | InferenceThread =>
    free.pop() ?? new Promise((resolve) => waiting.push(resolve));
  const release = (thread: InferenceThread): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(thread);
    else next(thread);
  };

  return {
    classifier,
    weightsBytes,
    get heldBytes() {
      return held * weightsBytes + loader.cachedBytes;
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
    async run(model, batches, signal) {
      const outputs = new Array<Float32Array>(batches.length);
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < batches.length) {
          const thread = await acquire();
          try {
            signal?.throwIfAborted();
            const i = next++;
            if (i < batches.length) outputs[i] = await thread.run(model.id, batches[i]!);
          } catch (error) {
            next = batches.length;
            throw error;
          } finally {
            release(thread);
          }
        }
      };
      // All lanes must be idle before the caller may unload the model, even when one of them failed.
      const lanes = await Promise.allSettled(threads.map(work));
      const failed = lanes.find((lane) => lane.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      signal?.throwIfAborted();
      return outputs;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}

async function startThreads(count: number, classifier: ClassifierGraph): Promise<InferenceThread[]> {
  const init = { onnx: onnxBytes(classifier.graph), shapes: classifier.graph.weights };
  const started = await Promise.allSettled(Array.from({ length: count }, () => InferenceThread.start(init)));
  const threads = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = started.find((result) => result.status === "rejected");
  if (failed === undefined) return threads;
  await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
  throw failed.reason;
}
