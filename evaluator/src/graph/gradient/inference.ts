/** Types and sizes of a graph's values, from onnxruntime's own inference and from what it leaves open of computed sizes. */

import { clone, create, toBinary } from "@bufbuild/protobuf";
import { type ModelProto, ModelProtoSchema, NodeProtoSchema, ValueInfoProtoSchema } from "onnx-buf";
import ort from "onnxruntime-node";
import { EvaluatorError, messageOf } from "../../errors.ts";
import { type ElementType, valueInfo } from "../builder.ts";
import { computedSizes } from "./sizes.ts";

/** A size, the name of one that is known at run time only, or undefined where nothing is known. */
export type Dim = number | string | undefined;

export interface ValueType {
  readonly type: string;
  /** Undefined where not even the rank is known. */
  readonly dims: readonly Dim[] | undefined;
}

/** Errors are thrown too; onnxruntime need not write them to stderr itself. */
const fatalOnly = 4;

/** Sizes found in one round may be what another round needs. */
const rounds = 3;

/**
 * Types of inputs and of whatever a node makes.
 * @param numbers the elements of constants
 * @throws EvaluatorError when onnxruntime does not accept the model
 */
export async function inferTypes(
  given: ModelProto,
  numbers: (value: string) => readonly number[] | undefined,
): Promise<Map<string, ValueType>> {
  const model = clone(ModelProtoSchema, given);
  const graph = model.graph!;
  const made = graph.node.flatMap(({ output }) => output).filter((name) => name !== "");
  graph.output = made.map((name) => create(ValueInfoProtoSchema, { name }));
  let types = await typesOf(model);
  const unknown = await unknownRanks(model, types);
  for (let round = 1; round < rounds; round++) {
    const dims = (value: string): readonly Dim[] | undefined =>
      unknown.has(value) ? undefined : types.get(value)?.dims;
    const sizes = computedSizes(graph.node, { dims, numbers });
    if (sizes.size === 0) break;
    graph.output = graph.output.map((info) => {
      const dims = sizes.get(info.name);
      const type = types.get(info.name)?.type ?? "";
      return dims && isElementType(type) ? valueInfo(info.name, type, dims) : info;
    });
    types = await typesOf(model);
  }
  for (const name of unknown) types.set(name, { type: types.get(name)!.type, dims: undefined });
  return types;
}

/** onnxruntime says of a scalar and of a value of unknown rank alike that it has no axes; the length of its shape tells them apart. */
async function unknownRanks(model: ModelProto, types: ReadonlyMap<string, ValueType>): Promise<ReadonlySet<string>> {
  const made = model.graph!.node.flatMap(({ output }) => output);
  const doubtful = made.filter((name) => isFloatType(types.get(name)?.type) && types.get(name)?.dims?.length === 0);
  if (doubtful.length === 0) return new Set();
  const probed = clone(ModelProtoSchema, model);
  const shapeOf = (name: string): string => `shape of ${name}`;
  for (const name of doubtful) {
    probed.graph!.node.push(create(NodeProtoSchema, { opType: "Shape", input: [name], output: [shapeOf(name)] }));
    probed.graph!.output.push(create(ValueInfoProtoSchema, { name: shapeOf(name) }));
  }
  const shapes = await typesOf(probed);
  return new Set(doubtful.filter((name) => shapes.get(shapeOf(name))?.dims?.[0] !== 0));
}

async function typesOf(model: ModelProto): Promise<Map<string, ValueType>> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "disabled",
      logSeverityLevel: fatalOnly,
    });
  } catch (error) {
    throw new EvaluatorError(`graph ${model.graph!.name}: onnxruntime does not accept it: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const known = [...session.inputMetadata, ...session.outputMetadata];
  const types = known.map((value): [string, ValueType] =>
    value.isTensor
      ? [value.name, { type: value.type, dims: value.shape.map((dim) => (dim === "" ? undefined : dim)) }]
      : [value.name, { type: "no tensor", dims: [] }],
  );
  await session.release();
  return new Map(types);
}

export const isFloatType = (type = ""): boolean => type.startsWith("float");

const isElementType = (type: string): type is ElementType => ["float32", "int32", "int64"].includes(type);
