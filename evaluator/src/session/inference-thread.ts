/** The near side of an inference thread: starts it, hands it programs, weights and feeds, and stops it. Knows the messages, not the mathematics. */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { EvaluatorError, messageOf } from "../errors.ts";
import type { InferenceInit, Reply, Request } from "./inference-worker.ts";
import type { Float32Weights } from "./loaded-weights.ts";
import type { Program, Tensors } from "./program.ts";

/** Run from source the worker is a `.ts` file, built it is a `.js` file. */
const workerUrl = new URL(`./inference-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/** Requests are answered one after another, in their order. */
export class InferenceThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting: PromiseWithResolvers<Tensors>[] = [];
  #ended: Error | undefined;

  constructor(init: InferenceInit) {
    this.#worker = new Worker(workerUrl, { workerData: init });
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(`inference thread failed: ${messageOf(error)}`));
    this.#worker.on("exit", () => this.#end("inference thread has ended"));
  }

  /** @throws EvaluatorError when onnxruntime refuses the graph. */
  async open(program: number, value: Program): Promise<void> {
    await this.#ask({ kind: "open", program, value });
  }

  close(program: number): void {
    this.#post({ kind: "close", program });
  }

  load(model: number, weights: Float32Weights): void {
    this.#post({ kind: "load", model, weights });
  }

  unload(model: number): void {
    this.#post({ kind: "unload", model });
  }

  /** All outputs of one run. */
  run(model: number, program: number, feeds: Tensors): Promise<Tensors> {
    return this.#ask({ kind: "run", model, program, feeds });
  }

  /** What the runs, one after another, carried to the end. */
  fold(model: number, program: number, feeds: readonly Tensors[]): Promise<Tensors> {
    return this.#ask({ kind: "fold", model, program, feeds });
  }

  /** One run of a chain: the outputs that are not carried. */
  advance(chain: number, model: number, program: number, feeds: Tensors): Promise<Tensors> {
    return this.#ask({ kind: "advance", chain, model, program, feeds });
  }

  drop(chain: number): void {
    this.#post({ kind: "drop", chain });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined) return;
    const exit = once(this.#worker, "exit");
    this.#post({ kind: "end" });
    await exit;
  }

  #post(request: Request): void {
    if (this.#ended === undefined) this.#worker.postMessage(request);
  }

  #ask(request: Request): Promise<Tensors> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const waiting = Promise.withResolvers<Tensors>();
    this.#waiting.push(waiting);
    this.#post(request);
    return waiting.promise;
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.shift();
    if (reply.kind === "done") waiting?.resolve(reply.outputs);
    else waiting?.reject(new EvaluatorError(`onnxruntime: ${reply.message}`));
  }

  #end(reason: string): void {
    // A plain error: a thread that dies says nothing about the input.
    this.#ended ??= new Error(reason);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
  }
}
