/**
 * A user's own ONNX file as a model: initialisers that carry the names of the checkpoint's tensors become the checkpoint's weights, so that the graph
 * is run, differentiated and merged like one of ours. The file is data from somewhere else: nothing that it names is opened, and only operators
 * that onnxruntime itself has are run.
 */

import { clone, fromBinary } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import { EvaluatorError, messageOf } from "../../errors.ts";
import { int } from "../attributes.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import type { BuiltModel } from "../families/family.ts";
import { problemsOf, type TensorShapes } from "./checks.ts";
import { foldIntegers } from "./fold.ts";
import { adaptInputs } from "./inputs.ts";
import { upgradeNodes, versionOf } from "./opset.ts";
import { describe, outputOf } from "./purpose.ts";

/** An ONNX file as it was given. */
export interface OwnGraph {
  /** For messages. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A file that breaks a rule for every tensor is told by the first few. */
const problemsShown = 20;

/**
 * @param config the parsed `config.json`: says what the model is for, and the limits of its inputs
 * @param tensors shapes of the checkpoint's tensors
 * @throws EvaluatorError with all that keeps the file from being run
 */
export function importModel({ path, bytes }: OwnGraph, config: unknown, tensors: TensorShapes): BuiltModel {
  const model = parse(path, bytes);
  const graph = model.graph!;
  const problems = problemsOf(model, tensors);
  const output = outputOf(graph, problems);
  refuse(path, problems);

  const g = new GraphBuilder(graph.name || "imported", {
    opset: versionOf(model),
    others: model.opsetImport.filter(({ domain }) => domain === "com.microsoft"),
  });
  const initialisers = new Set(graph.initializer.map(({ name }) => name));
  const names = adaptInputs(
    g,
    graph.input.filter(({ name }) => !initialisers.has(name)),
    problems,
  );
  refuse(path, problems);
  for (const { name, dims, dataType } of graph.initializer) {
    if (!tensors.has(name)) continue;
    const weight = g.weight(name, dims.map(Number));
    names.set(name, dataType === DataType.FLOAT ? weight : g.op("Cast", [weight], { to: int(dataType) }));
  }
  // Other values of the file get names that nothing appended later has.
  const nameOf = (name: string): Value => names.get(name) ?? ((name === "" ? "" : `file:${name}`) as Value);
  const own = graph.initializer.filter(({ name }) => !names.has(name));
  const upgraded = upgradeNodes(model);
  const { nodes, constants } = foldIntegers({ node: upgraded.nodes, initializer: [...own, ...upgraded.constants] });
  g.append(
    nodes.map((node) => renamed(node, nameOf)),
    [...own, ...upgraded.constants, ...constants].map((tensor) => named(tensor, nameOf(tensor.name))),
  );
  const logits = g.op("Cast", [nameOf(output!.name)], { to: int(DataType.FLOAT) });
  const built = describe({ graph, output: output! }, config, problems);
  refuse(path, problems);
  return { ...built!, graph: g, logits };
}

function parse(path: string, bytes: Uint8Array): ModelProto & { readonly graph?: GraphProto } {
  try {
    const model = fromBinary(ModelProtoSchema, bytes);
    if (model.graph !== undefined && model.graph.node.length > 0) return model;
  } catch (error) {
    throw new EvaluatorError(`${path}: is no ONNX file (${messageOf(error)})`);
  }
  throw new EvaluatorError(`${path}: is no ONNX file: it has no graph`);
}

function refuse(path: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const more = problems.length - problemsShown;
  const shown = problems.slice(0, problemsShown).map((problem) => `${path}: ${problem}`);
  throw new EvaluatorError(more > 0 ? [...shown, `${path}: ... and ${more} more`] : shown);
}

function renamed(node: NodeProto, nameOf: (name: string) => Value): NodeProto {
  return Object.assign(clone(NodeProtoSchema, node), {
    input: node.input.map(nameOf),
    output: node.output.map(nameOf),
  });
}

const named = (tensor: TensorProto, name: Value): TensorProto =>
  Object.assign(clone(TensorProtoSchema, tensor), { name });
