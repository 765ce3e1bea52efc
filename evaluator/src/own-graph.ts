/** A user's ONNX file from a disk, with what is known of the weights that it is to run. */

import { readFile, stat } from "node:fs/promises";
import { EvaluatorError, messageOf } from "./errors.ts";
import type { TensorShapes } from "./graph/imported/checks.ts";
import type { OwnGraph } from "./graph/imported/import.ts";
import type { Weights } from "./weights.ts";

/** A graph and the tensors of the models that it runs. */
export interface GraphOfModels extends OwnGraph {
  readonly tensors: TensorShapes;
}

/** Protocol buffers end below 2 GiB; exporters put large weights into a file of their own, and those of the checkpoint are not read. */
const maxBytes = 2 ** 30;

/** @throws EvaluatorError when the file cannot be read or is too large. */
export async function readOwnGraph(path: string, weights: Weights): Promise<GraphOfModels> {
  const tensors = new Map([...weights.names()].map((name) => [name, weights.get(name)!.shape]));
  try {
    const { size } = await stat(path);
    if (size <= maxBytes) return { path, bytes: await readFile(path), tensors };
  } catch (error) {
    throw new EvaluatorError(`${path}: cannot be read (${messageOf(error)})`, { cause: error });
  }
  throw new EvaluatorError(`${path}: has more than ${maxBytes} bytes: export the graph without its weights`);
}
