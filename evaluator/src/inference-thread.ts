/** The near side of an inference thread: starts it, hands it weights and batches, and stops it. Knows the messages, not the mathematics. */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Batch } from "./batches.ts";
import { EvaluatorError, messageOf } from "./errors.ts";
import type { InferenceInit, Reply, Request } from "./inference-worker.ts";
import type { Float32Weights } from "./loaded-weights.ts";

/** Run from source the worker is a `.ts` file, built it is a `.js` file. */
const workerUrl = new URL(`./inference-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

export class InferenceThread implements AsyncDisposable {
  readonly #worker: Worker;
  #waiting: PromiseWithResolvers<Reply> | undefined;
  #ended: Error | undefined;

  private constructor(init: InferenceInit) {
    this.#worker = new Worker(workerUrl, { workerData: init });
    this.#worker.on("message", (reply: Reply) => this.#settle((waiting) => waiting.resolve(reply)));
    this.#worker.on("error", (error) => this.#end(`inference thread failed: ${messageOf(error)}`));
    this.#worker.on("exit", () => this.#end("inference thread has ended"));
  }

  /** @throws EvaluatorError when onnxruntime refuses the graph. */
  static async start(init: InferenceInit): Promise<InferenceThread> {
    const thread = new InferenceThread(init);
    try {
      await thread.#reply();
      return thread;
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
  }

  load(model: number, weights: Float32Weights): void {
    this.#post({ kind: "load", model, weights });
  }

  unload(model: number): void {
    this.#post({ kind: "unload", model });
  }

  /** Logits `[items, labels]` of one batch, row by row. One call at a time. */
  async run(model: number, batch: Batch): Promise<Float32Array> {
    this.#post({ kind: "run", model, batch });
    const reply = await this.#reply();
    if (reply.kind !== "logits") throw new Error(`inference thread answered ${reply.kind} to a batch`);
    return reply.logits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined) return;
    const exit = once(this.#worker, "exit");
    this.#post({ kind: "close" });
    await exit;
  }

  #post(request: Request): void {
    if (this.#ended === undefined) this.#worker.postMessage(request);
  }

  async #reply(): Promise<Reply> {
    if (this.#ended !== undefined) throw this.#ended;
    this.#waiting = Promise.withResolvers<Reply>();
    const reply = await this.#waiting.promise;
    if (reply.kind === "failed") throw new EvaluatorError(`onnxruntime: ${reply.message}`);
    return reply;
  }

  #end(reason: string): void {
    // A plain error: a thread that dies says nothing about the input.
    this.#ended ??= new Error(reason);
    const error = this.#ended;
    this.#settle((waiting) => waiting.reject(error));
  }

  #settle(how: (waiting: PromiseWithResolvers<Reply>) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}
