/**
 * What is known of a graph's values before it runs: types, ranks, and the sizes that are fixed or named. onnxruntime's own shape inference says it,
 * so that it agrees with what will run and every operator is covered.
 */

import { clone, create, toBinary } from "@bufbuild/protobuf";
import { type ModelProto, ModelProtoSchema, type NodeProto, type TensorProto, ValueInfoProtoSchema } from "onnx-buf";
import ort from "onnxruntime-node";
import { EvaluatorError, messageOf } from "../../errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { attributeOf, numbersOf } from "./constants.ts";
import { valuesWithItems } from "./items.ts";

/** A size, the name of one that is known at run time only, or undefined where nothing is known. */
export type Dim = number | string | undefined;

export class Facts {
  readonly nodes: readonly NodeProto[];
  readonly #types: ReadonlyMap<string, ValueType>;
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #withItems: ReadonlySet<string>;
  readonly #producers: ReadonlyMap<string, NodeProto>;

  constructor(
    nodes: readonly NodeProto[],
    types: ReadonlyMap<string, ValueType>,
    constants: ReadonlyMap<string, TensorProto>,
    dataInputs: readonly string[],
  ) {
    this.nodes = nodes;
    this.#types = types;
    this.#constants = constants;
    this.#withItems = valuesWithItems(nodes, dataInputs, {
      rank: (value) => types.get(value)?.dims.length,
      numbers: (value) => this.numbers(value as Value),
    });
    this.#producers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
  }

  /** The value's sizes, as many as its rank. @throws EvaluatorError where the rank is not known */
  dims(value: Value): readonly Dim[] {
    const dims = this.#types.get(value)?.dims;
    if (dims === undefined) throw new EvaluatorError(`value ${value}: its rank is not known before the graph runs`);
    return dims;
  }

  /** Whether gradients can flow through a value: it is float32, float16 or float64. */
  isFloat(value: Value): boolean {
    return this.#types.get(value)?.type.startsWith("float") ?? false;
  }

  /** Whether a value has the items on axis 0. */
  hasItems(value: Value): boolean {
    return this.#withItems.has(value);
  }

  /** The node that makes a value; undefined for inputs and constants of the graph. */
  producer(value: Value): NodeProto | undefined {
    return this.#producers.get(value);
  }

  /** The elements of a constant, or undefined for what is computed. */
  numbers(value: Value): readonly number[] | undefined {
    const tensor = this.#constants.get(value);
    return tensor && numbersOf(tensor);
  }
}

interface ValueType {
  readonly type: string;
  readonly dims: readonly Dim[];
}

/** @throws EvaluatorError when onnxruntime does not accept the graph */
export async function inferFacts(graph: GraphBuilder): Promise<Facts> {
  const { model, weights } = graph.build();
  const { node: nodes, input, initializer } = model.graph!;
  const constants = new Map(initializer.map((tensor) => [tensor.name, tensor]));
  for (const node of nodes) {
    const constant = node.opType === "Constant" ? attributeOf(node, "value")?.t : undefined;
    if (constant !== undefined) constants.set(node.output[0]!, constant);
  }
  const types = await inferTypes(clone(ModelProtoSchema, model));
  for (const { name, dims } of initializer) types.set(name, { type: "constant", dims: dims.map(Number) });
  const dataInputs = input.map(({ name }) => name).filter((name) => !weights.has(name) && !constants.has(name));
  return new Facts(nodes, types, constants, dataInputs);
}

/** Errors are thrown too; onnxruntime need not write them to stderr itself. */
const fatalOnly = 4;

/** Types of inputs and of whatever a node makes; `model` gets all of that as outputs. */
async function inferTypes(model: ModelProto): Promise<Map<string, ValueType>> {
  const graph = model.graph!;
  const made = graph.node.flatMap(({ output }) => output).filter((name) => name !== "");
  graph.output = made.map((name) => create(ValueInfoProtoSchema, { name }));
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "disabled",
      logSeverityLevel: fatalOnly,
    });
  } catch (error) {
    throw new EvaluatorError(`graph ${graph.name}: onnxruntime does not accept it: ${messageOf(error)}`, {
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
