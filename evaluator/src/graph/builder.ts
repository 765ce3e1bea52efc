/**
 * Builds an ONNX graph node by node; its intermediate form is ONNX's own messages, so a graph read from a file and a graph built here look
 * the same to whatever comes next. Knows no layer and no model. Operators: https://onnx.ai/onnx/operators, opset 20.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { type Attribute, attributeProto, int } from "./attributes.ts";
import { withRowProducts } from "./row-products.ts";

/** The newest opset and IR that onnxruntime 1.17 and later run; Gelu entered at 20. */
const opset = 20;
const irVersion = 10n;

export type ElementType = "float32" | "int32" | "int64";

/** A dimension: a size, or the name of a size that is known only at run time. */
export type Dimension = number | string;

/** The name of a tensor inside one graph. Made by a builder only. */
export type Value = string & { readonly __value: unique symbol };

/** A finished graph and the parameters it takes, by tensor name. */
export interface ModelGraph {
  readonly model: ModelProto;
  /** Shape of each weight the graph reads: a graph input that carries the tensor's own name. */
  readonly weights: ReadonlyMap<string, readonly number[]>;
}

const dataTypes: Record<ElementType, DataType> = {
  float32: DataType.FLOAT,
  int32: DataType.INT32,
  int64: DataType.INT64,
};

export class GraphBuilder {
  readonly #graph: GraphProto;
  readonly #weights = new Map<string, readonly number[]>();
  readonly #renamed = new Map<string, string>();
  readonly #constants = new Map<string, Value>();
  readonly #opsets: readonly OperatorSetIdProto[];
  #count = 0;

  /** @param opsets of a graph that was read from a file: its version, if newer, and other sets of operators */
  constructor(name: string, opsets: { readonly opset?: number; readonly others?: readonly OperatorSetIdProto[] } = {}) {
    this.#graph = create(GraphProtoSchema, { name });
    const version = BigInt(Math.max(opset, opsets.opset ?? opset));
    this.#opsets = [create(OperatorSetIdProtoSchema, { domain: "", version }), ...(opsets.others ?? [])];
  }

  /** Shape of each weight declared so far, by tensor name. */
  get weights(): ReadonlyMap<string, readonly number[]> {
    return this.#weights;
  }

  /** Declares an input fed at every run. */
  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#graph.input.push(valueInfo(name, type, dims));
    return name as Value;
  }

  /** Declares a float32 parameter, or returns the one already declared under this name (tied weights). */
  weight(declared: string, shape: readonly number[]): Value {
    const name = this.#nameOf(declared);
    const known = this.#weights.get(name);
    if (known === undefined) {
      this.#weights.set(name, shape);
      return this.input(name, "float32", shape);
    }
    if (known.join() !== shape.join()) {
      throw new Error(`weight ${name} is declared as [${known}] and as [${shape}]`);
    }
    return name as Value;
  }

  /**
   * Reads a weight under another name; where that one is declared already, both are one from now on (tied weights).
   * @throws Error when their shapes differ.
   */
  renameWeight(from: string, to: string): void {
    const shape = this.#weights.get(from);
    if (shape === undefined || from === to) return;
    this.#weights.delete(from);
    this.#renamed.set(from, to);
    this.#graph.input = this.#graph.input.filter(({ name }) => name !== from);
    this.weight(to, shape);
    for (const { input } of this.#graph.node) {
      for (const [i, name] of input.entries()) if (name === from) input[i] = to;
    }
  }

  /** A float32 constant; equal constants are stored once. */
  floats(dims: readonly number[], values: readonly number[]): Value {
    return this.#constant("float32", dims, new Uint8Array(Float32Array.from(values).buffer));
  }

  /** A one-dimensional int64 constant, as shapes, axes and slice bounds want it. */
  int64s(...values: number[]): Value {
    return this.#constant("int64", [values.length], new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer));
  }

  /** An int64 scalar, as ranges want it. */
  int64(value: number): Value {
    return this.#constant("int64", [], new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
  }

  /** Appends an operator with one output. */
  op(opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.ops(opType, inputs, 1, attributes)[0]!;
  }

  /** Appends an operator with several outputs. */
  ops(
    opType: string,
    inputs: readonly Value[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value[] {
    const name = `${opType}_${this.#count++}`;
    const output = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? name : `${name}:${i}`));
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    const input = inputs.map((each) => this.#nameOf(each));
    this.#graph.node.push(create(NodeProtoSchema, { name, opType, input, output, attribute }));
    return output as Value[];
  }

  /** Appends what a file has, under names that nothing of this graph has. */
  append(nodes: readonly NodeProto[], constants: readonly TensorProto[]): void {
    this.#graph.node.push(...nodes);
    this.#graph.initializer.push(...constants);
  }

  /** A value's elements as another type. */
  cast(value: Value, type: ElementType): Value {
    return this.op("Cast", [value], { to: int(dataTypes[type]) });
  }

  /** Names a value as a graph output. */
  output(name: string, value: Value, type: ElementType, dims: readonly Dimension[]): void {
    this.#graph.node.push(
      create(NodeProtoSchema, { name: `output_${name}`, opType: "Identity", input: [value], output: [name] }),
    );
    this.#graph.output.push(valueInfo(name, type, dims));
  }

  build(): ModelGraph {
    const model = create(ModelProtoSchema, {
      irVersion,
      producerName: "amalgam",
      opsetImport: [...this.#opsets],
      graph: this.#graph,
    });
    return { model, weights: this.#weights };
  }

  /** A value's name now: a layer that is appended later may know a weight by its first one. */
  #nameOf(value: string): string {
    const renamed = this.#renamed.get(value);
    return renamed === undefined ? value : this.#nameOf(renamed);
  }

  #constant(type: ElementType, dims: readonly number[], rawData: Uint8Array<ArrayBuffer>): Value {
    const key = `${type}[${dims}]:${rawData}`;
    let value = this.#constants.get(key);
    if (value === undefined) {
      value = `constant_${this.#constants.size}` as Value;
      this.#graph.initializer.push(
        create(TensorProtoSchema, { name: value, dataType: dataTypes[type], dims: dims.map(BigInt), rawData }),
      );
      this.#constants.set(key, value);
    }
    return value;
  }
}

/** The bytes of an `.onnx` file, as it is to run: without what no output needs, and with linear layers over rows. */
export function onnxBytes({ model, weights }: ModelGraph): Uint8Array {
  const graph = withRowProducts(model.graph!, weights);
  return toBinary(ModelProtoSchema, { ...model, graph: { ...graph, node: neededNodes(graph) } });
}

/** Nodes stand after those they read, so that one pass from the end finds all that the outputs need. */
function neededNodes({ node: nodes, output: outputs }: GraphProto): NodeProto[] {
  const needed = new Set(outputs.map(({ name }) => name));
  return nodes
    .toReversed()
    .filter(({ input, output }) => {
      const needs = output.some((name) => needed.has(name));
      if (needs) for (const name of input) needed.add(name);
      return needs;
    })
    .toReversed();
}

/** The type of a value; a dimension that is undefined is left open. */
export function valueInfo(name: string, type: ElementType, dims: readonly (Dimension | undefined)[]): ValueInfoProto {
  const dim = dims.map((d) =>
    d === undefined
      ? create(TensorShapeProto_DimensionSchema)
      : create(TensorShapeProto_DimensionSchema, {
          value: typeof d === "string" ? { case: "dimParam", value: d } : { case: "dimValue", value: BigInt(d) },
        }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: dataTypes[type],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } }),
  });
}
