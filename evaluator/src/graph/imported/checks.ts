/** What keeps an ONNX file from being run with a checkpoint's weights, found before anything is built. */

import {
  TensorProto_DataType as DataType,
  TensorProto_DataLocation as Location,
  type ModelProto,
  type TensorProto,
} from "onnx-buf";
import { newestOpset, oldestOpset, versionOf } from "./opset.ts";

/** Shapes of a checkpoint's tensors by name. */
export type TensorShapes = ReadonlyMap<string, readonly number[]>;

/** onnxruntime's own operators lie in the last one. */
const domains = ["", "ai.onnx", "com.microsoft"];
/** Operators with graphs of their own, whose values are not told apart from those around them. */
const controlFlow = ["If", "Loop", "Scan", "SequenceMap"];
const howToExport =
  "export it without folding constants: torch.onnx.export(..., dynamo=True, optimize=False) or torch.onnx.export(..., dynamo=False, do_constant_folding=False)";

export function problemsOf(model: ModelProto, tensors: TensorShapes): string[] {
  return [...unsupported(model), ...weightProblems(model.graph!.initializer, tensors)];
}

function unsupported(model: ModelProto): string[] {
  const { node: nodes, sparseInitializer } = model.graph!;
  const problems: string[] = [];
  const version = versionOf(model);
  if (version < oldestOpset || version > newestOpset) {
    problems.push(`has operators of opset ${version}: export it with one from ${oldestOpset} to ${newestOpset}`);
  }
  if (model.functions.length > 0) problems.push("has functions of its own: inline them (onnx.inliner)");
  if (sparseInitializer.length > 0) problems.push("has sparse initialisers, which cannot be merged");
  const foreign = new Set(nodes.filter(({ domain }) => !domains.includes(domain)).map(({ domain }) => domain));
  for (const domain of foreign) problems.push(`has operators of ${domain}, which onnxruntime does not have`);
  const branching = new Set(nodes.filter(({ opType }) => controlFlow.includes(opType)).map(({ opType }) => opType));
  for (const opType of branching) problems.push(`has the operator ${opType}: export a graph without control flow`);
  return problems;
}

const isFloat = ({ dataType }: TensorProto): boolean =>
  [DataType.FLOAT, DataType.FLOAT16, DataType.BFLOAT16, DataType.DOUBLE].includes(dataType);

const namesShown = 3;

const unordered = (shape: readonly number[]): string => shape.toSorted((a, b) => a - b).join(" x ");

function weightProblems(initialisers: readonly TensorProto[], tensors: TensorShapes): string[] {
  const problems: string[] = [];
  const elsewhere: string[] = [];
  const read = new Set(initialisers.map(({ name }) => name));
  if (!tensors.keys().some((name) => read.has(name))) {
    const [one = "there are none"] = read;
    return [`none of its initialisers (${one}, ...) has the name of a tensor of the checkpoint: ${howToExport}`];
  }
  /** Matrices of the checkpoint that the graph does not name, by their sizes. */
  const unread = new Map(
    [...tensors]
      .filter(([name, shape]) => shape.length > 1 && !read.has(name))
      .map(([name, shape]) => [unordered(shape), name]),
  );
  for (const tensor of initialisers) {
    const { name, dims, dataLocation } = tensor;
    const shape = dims.map(Number);
    const stored = tensors.get(name);
    if (stored !== undefined) {
      if (!isFloat(tensor)) problems.push(`initialiser ${name}: is no float tensor, which a merge changes`);
      else if (stored.join() !== shape.join()) {
        problems.push(
          `initialiser ${name}: has shape [${shape}], and the checkpoint's tensor [${stored}]: ${howToExport}`,
        );
      }
      continue;
    }
    const like = shape.length > 1 && isFloat(tensor) ? unread.get(unordered(shape)) : undefined;
    if (like !== undefined) {
      problems.push(
        `initialiser ${name} [${shape}]: is no tensor of the checkpoint, but could be made of one that the graph does not name, such as ${like}: ${howToExport}`,
      );
    } else if (dataLocation === Location.EXTERNAL) {
      elsewhere.push(name);
    }
  }
  if (elsewhere.length > 0) {
    const named = elsewhere.slice(0, namesShown).join(", ") + (elsewhere.length > namesShown ? ", ..." : "");
    problems.push(
      `no tensors of the checkpoint, and in another file, which is not read: ${elsewhere.length} initialisers (${named})`,
    );
  }
  return problems;
}
