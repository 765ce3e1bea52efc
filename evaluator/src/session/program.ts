/** What a session runs: an ONNX graph, which of its inputs are a model's weights, and which outputs it takes back as inputs. */

import { type ModelGraph, onnxBytes } from "../graph/builder.ts";

/** A tensor that goes into a run or comes out of one; values in row-major order. */
export type TensorData =
  | { readonly type: "float32"; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: "int32"; readonly dims: readonly number[]; readonly data: Int32Array };

/** Tensors by the name of an input or output. */
export type Tensors = Readonly<Record<string, TensorData>>;

/** An output that the next run takes as an input: what a fold accumulates, or a chain remembers. */
export interface Carried {
  readonly input: string;
  readonly output: string;
  /** A fold begins with zeros of this shape, float32; a chain with what it is fed. */
  readonly shape?: readonly number[];
}

export interface Program {
  /** An `.onnx` file's bytes. */
  readonly onnx: Uint8Array;
  /** Shape of each input that is fed from a loaded model, by tensor name. */
  readonly weights: ReadonlyMap<string, readonly number[]>;
  readonly carried: readonly Carried[];
}

export function programOf(graph: ModelGraph, carried: readonly Carried[] = []): Program {
  return { onnx: onnxBytes(graph), weights: graph.weights, carried };
}

export const float32 = (dims: readonly number[], data: Float32Array): TensorData => ({ type: "float32", dims, data });
export const int32 = (dims: readonly number[], data: Int32Array): TensorData => ({ type: "int32", dims, data });
