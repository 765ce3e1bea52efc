/** Runs a graph once, as the tests of operators need it. */

import ort from "onnxruntime-node";
import { type ModelGraph, onnxBytes } from "../graph/builder.ts";
import type { Tensors } from "../session/program.ts";

/** Every output as float32 values with its sizes. */
export async function runGraph(graph: ModelGraph, feeds: Tensors): Promise<Map<string, FloatTensor>> {
  const session = await ort.InferenceSession.create(onnxBytes(graph), { intraOpNumThreads: 1, logSeverityLevel: 4 });
  try {
    const tensors = session.inputNames.map((name): [string, ort.Tensor] => {
      const { type, data, dims } = feeds[name]!;
      return [name, type === "float32" ? new ort.Tensor(type, data, dims) : new ort.Tensor(type, data, dims)];
    });
    const outputs = await session.run(Object.fromEntries(tensors));
    return new Map(
      Object.entries(outputs).map(([name, { data, dims }]) => [
        name,
        { data: Float32Array.from(data as Float32Array), dims },
      ]),
    );
  } finally {
    await session.release();
  }
}

export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}
