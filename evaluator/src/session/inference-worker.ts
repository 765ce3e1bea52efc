/**
 * The body of an inference thread: onnxruntime sessions of one intra-op thread by program, weights by handle, one task at a time. Its own thread
 * because onnxruntime-node computes on the thread that calls it; one intra-op thread because more of them change the last bits of the sums.
 */

import { parentPort, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import type { Float32Weights } from "./loaded-weights.ts";
import type { Program, TensorData, Tensors } from "./program.ts";

/** What the thread starts from. */
export interface InferenceInit {
  /** Execution providers in the order they are tried; operators that one cannot run go to the next, and to the CPU at last. */
  readonly providers: readonly string[];
  /** Shapes of the weights that are loaded. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

export type Request =
  | { readonly kind: "open"; readonly program: number; readonly value: Program }
  | { readonly kind: "close"; readonly program: number }
  | { readonly kind: "load"; readonly model: number; readonly weights: Float32Weights }
  | { readonly kind: "unload"; readonly model: number }
  | { readonly kind: "run"; readonly model: number; readonly program: number; readonly feeds: Tensors }
  | { readonly kind: "fold"; readonly model: number; readonly program: number; readonly feeds: readonly Tensors[] }
  | {
      readonly kind: "advance";
      readonly chain: number;
      readonly model: number;
      readonly program: number;
      readonly feeds: Tensors;
    }
  | { readonly kind: "drop"; readonly chain: number }
  | { readonly kind: "end" };

/** The answer to each `open`, `run`, `fold` and `advance`; the others are not answered. */
export type Reply =
  | { readonly kind: "done"; readonly outputs: Tensors }
  | { readonly kind: "failed"; readonly message: string };

interface Opened {
  readonly session: ort.InferenceSession;
  readonly program: Program;
}

/** Errors are thrown too; onnxruntime need not write them to stderr itself. */
const fatalOnly = 4;

const port = parentPort!;
const { providers, shapes } = workerData as InferenceInit;
const programs = new Map<number, Opened>();
const models = new Map<number, Readonly<Record<string, ort.Tensor>>>();
/** What each chain carries, by the name of the input that takes it. */
const chains = new Map<number, Feeds>();

/** One request after another, however long one takes: an answer is the answer to the oldest question. */
let turn: Promise<unknown> = Promise.resolve();
port.on("message", (request: Request) => {
  turn = turn.then(() => handle(request));
});

function handle(request: Request): Promise<void> | void {
  switch (request.kind) {
    case "open":
      return answer(open(request.program, request.value));
    case "close":
      void programs.get(request.program)?.session.release();
      programs.delete(request.program);
      return;
    case "load":
      models.set(request.model, asTensors(request.weights));
      return;
    case "unload":
      models.delete(request.model);
      return;
    case "run":
      return answer(run(programs.get(request.program)!, models.get(request.model)!, request.feeds));
    case "fold":
      return answer(fold(programs.get(request.program)!, models.get(request.model)!, request.feeds));
    case "advance":
      return answer(advance(request.chain, programs.get(request.program)!, models.get(request.model)!, request.feeds));
    case "drop":
      for (const tensor of Object.values(chains.get(request.chain) ?? {})) tensor.dispose();
      chains.delete(request.chain);
      return;
    case "end":
      void Promise.allSettled([...programs.values()].map(({ session }) => session.release())).finally(() =>
        port.close(),
      );
  }
}

async function open(id: number, program: Program): Promise<Tensors> {
  const session = await ort.InferenceSession.create(program.onnx, {
    executionProviders: [...providers],
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: fatalOnly,
  });
  // The bytes are onnxruntime's now.
  programs.set(id, { session, program: { ...program, onnx: new Uint8Array(0) } });
  return {};
}

function asTensors(weights: Float32Weights): Readonly<Record<string, ort.Tensor>> {
  return Object.fromEntries(
    [...weights].map(([name, values]) => [name, new ort.Tensor("float32", values, shapes.get(name)!)]),
  );
}

type Feeds = Record<string, ort.Tensor>;

/**
 * What the program reads of the weights, the tensors and, where neither has it, of what is carried: a batch has the types of its texts also for a
 * model that knows none.
 */
function feedsOf({ session, program }: Opened, weights: Readonly<Feeds>, tensors: Tensors, carried: Feeds = {}): Feeds {
  const feeds: Feeds = {};
  for (const name of session.inputNames) {
    const tensor = tensors[name];
    if (program.weights.has(name)) feeds[name] = weights[name]!;
    else if (tensor !== undefined) feeds[name] = new ort.Tensor(tensor.type, tensor.data, tensor.dims);
    else if (carried[name] !== undefined) feeds[name] = carried[name];
  }
  return feeds;
}

async function run(opened: Opened, weights: Readonly<Feeds>, tensors: Tensors): Promise<Tensors> {
  return taken(await opened.session.run(feedsOf(opened, weights, tensors)));
}

/** Moves what the program carries out of the outputs and into the state, where it stays in onnxruntime's memory. */
function carry({ program }: Opened, outputs: Feeds, state: Feeds): void {
  for (const { input, output } of program.carried) {
    state[input]?.dispose();
    state[input] = outputs[output]!;
    delete outputs[output];
  }
}

async function fold(opened: Opened, weights: Readonly<Feeds>, runs: readonly Tensors[]): Promise<Tensors> {
  const { session, program } = opened;
  const state: Feeds = Object.fromEntries(
    program.carried.map(({ input, shape = [] }) => {
      const zeros = new Float32Array(shape.reduce((product, size) => product * size, 1));
      return [input, new ort.Tensor("float32", zeros, shape)];
    }),
  );
  for (const tensors of runs) {
    const outputs: Feeds = { ...(await session.run(feedsOf(opened, weights, tensors, state))) };
    carry(opened, outputs, state);
  }
  return taken(Object.fromEntries(program.carried.map(({ input, output }) => [output, state[input]!])));
}

/** One run of a chain: what is not carried. */
async function advance(chain: number, opened: Opened, weights: Readonly<Feeds>, tensors: Tensors): Promise<Tensors> {
  const state = chains.get(chain) ?? {};
  chains.set(chain, state);
  const outputs: Feeds = { ...(await opened.session.run(feedsOf(opened, weights, tensors, state))) };
  carry(opened, outputs, state);
  return taken(outputs);
}

/** Copies outputs out of onnxruntime's memory and gives that back. */
function taken(outputs: Readonly<Record<string, ort.Tensor>>): Tensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => {
      const { type, dims } = tensor;
      if (type !== "float32" && type !== "int32") throw new Error(`output ${name} is ${type}`);
      const data = (tensor.data as Float32Array | Int32Array).slice();
      tensor.dispose();
      return [name, { type, dims, data } as TensorData];
    }),
  );
}

function answer(result: Promise<Tensors>): Promise<void> {
  return result.then(
    (outputs) =>
      reply(
        { kind: "done", outputs },
        Object.values(outputs).map(({ data }) => data.buffer as ArrayBuffer),
      ),
    (error) => reply({ kind: "failed", message: messageOf(error) }),
  );
}

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
