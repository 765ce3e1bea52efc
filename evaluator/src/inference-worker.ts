/**
 * The body of an inference thread: one onnxruntime session of one intra-op thread, weights by handle, one batch at a time. Its own thread
 * because onnxruntime-node computes on the thread that calls it; one intra-op thread because more of them change the last bits of the sums.
 */

import { parentPort, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";
import type { Batch } from "./batches.ts";
import { messageOf } from "./errors.ts";
import { inputNames, logitsName } from "./graph/families/family.ts";
import type { Float32Weights } from "./loaded-weights.ts";

/** What the thread starts from. */
export interface InferenceInit {
  /** An `.onnx` file's bytes, weights as inputs. */
  readonly onnx: Uint8Array;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

export type Request =
  | { readonly kind: "load"; readonly model: number; readonly weights: Float32Weights }
  | { readonly kind: "unload"; readonly model: number }
  | { readonly kind: "run"; readonly model: number; readonly batch: Batch }
  | { readonly kind: "close" };

/** The answer to the start and to each `run`; the others are not answered. */
export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "logits"; readonly logits: Float32Array }
  | { readonly kind: "failed"; readonly message: string };

/** Errors are thrown too; onnxruntime need not write them to stderr itself. */
const fatalOnly = 4;

const port = parentPort!;
const { onnx, shapes } = workerData as InferenceInit;
const models = new Map<number, ReadonlyMap<string, ort.Tensor>>();

async function main(): Promise<void> {
  const session = await ort.InferenceSession.create(onnx, {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: fatalOnly,
  });
  port.on("message", (request: Request) => {
    switch (request.kind) {
      case "load":
        models.set(request.model, asTensors(request.weights));
        break;
      case "unload":
        models.delete(request.model);
        break;
      case "run":
        answer(run(session, models.get(request.model)!, request.batch));
        break;
      case "close":
        void session.release().finally(() => port.close());
        break;
    }
  });
  reply({ kind: "ready" });
}

function asTensors(weights: Float32Weights): ReadonlyMap<string, ort.Tensor> {
  return new Map([...weights].map(([name, values]) => [name, new ort.Tensor("float32", values, shapes.get(name)!)]));
}

async function run(
  session: ort.InferenceSession,
  weights: ReadonlyMap<string, ort.Tensor>,
  batch: Batch,
): Promise<Float32Array> {
  const dims = [batch.items.length, batch.tokens];
  const inputs = new Map(weights)
    .set(inputNames.ids, new ort.Tensor("int32", batch.ids, dims))
    .set(inputNames.mask, new ort.Tensor("float32", batch.mask, dims))
    .set(inputNames.types, new ort.Tensor("int32", batch.types, dims));
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, inputs.get(name)!]));
  const { [logitsName]: output } = await session.run(feeds);
  const logits = Float32Array.from(output!.data as Float32Array);
  output!.dispose();
  return logits;
}

function answer(result: Promise<Float32Array>): void {
  result.then(
    (logits) => reply({ kind: "logits", logits }, [logits.buffer as ArrayBuffer]),
    (error) => reply({ kind: "failed", message: messageOf(error) }),
  );
}

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

main().catch((error) => reply({ kind: "failed", message: messageOf(error) }));
