/**
 * Computes what exporters leave to be computed of small integer constants: the axes and bounds of slices as casts and reshapes of constants, say,
 * which differentiation must know.
 */

import { create } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import { attributeOf, numbersOf } from "../gradient/constants.ts";

/** Shapes, axes and bounds are no longer. */
const mostElements = 16;
const integers = [DataType.INT32, DataType.INT64];

interface Known {
  readonly type: DataType;
  readonly values: readonly number[];
  readonly dims: readonly number[];
}

/** The largest int64, which means "to the end", is read as the number above it. */
const toInt64 = (value: number): bigint => (value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value));

/** What a node makes of constants; undefined for an operator that is not computed here. */
function computed({ opType, attribute }: NodeProto, inputs: readonly Known[]): Known | undefined {
  const [x, y] = inputs;
  switch (opType) {
    case "Identity":
      return x;
    case "Cast": {
      const type = Number(attribute.find(({ name }) => name === "to")?.i ?? 0) as DataType;
      return x !== undefined && integers.includes(type) ? { ...x, type } : undefined;
    }
    case "Reshape": {
      if (x === undefined || y === undefined) return undefined;
      const rest = y.values.filter((size) => size > 0).reduce((product, size) => product * size, 1);
      return { ...x, dims: y.values.map((size) => (size === -1 ? x.values.length / rest : size)) };
    }
    case "Unsqueeze":
      // One element is in as many dimensions as it is put into.
      return x?.values.length === 1 && y !== undefined
        ? { ...x, dims: [...x.dims, ...y.values].map(() => 1) }
        : undefined;
    case "Squeeze":
      return x?.values.length === 1 ? { ...x, dims: [] } : undefined;
    case "Concat":
      return x !== undefined && inputs.every(({ dims, type }) => dims.length === 1 && type === x.type)
        ? {
            type: x.type,
            values: inputs.flatMap(({ values }) => values),
            dims: [inputs.reduce((sum, { values }) => sum + values.length, 0)],
          }
        : undefined;
    default:
      return undefined;
  }
}

/** A constant that is given by numbers, not as a tensor. */
function integersOf(node: NodeProto): Known | undefined {
  if (node.opType !== "Constant") return undefined;
  const [one, several] = [attributeOf(node, "value_int"), attributeOf(node, "value_ints")];
  if (one !== undefined) return { type: DataType.INT64, values: [Number(one.i)], dims: [] };
  if (several === undefined || several.ints.length > mostElements) return undefined;
  return { type: DataType.INT64, values: several.ints.map(Number), dims: [several.ints.length] };
}

/** The nodes that are left, and constants in place of the others. */
export function foldIntegers({ node: nodes, initializer }: Pick<GraphProto, "node" | "initializer">): {
  readonly nodes: NodeProto[];
  readonly constants: TensorProto[];
} {
  const known = new Map<string, Known>();
  const learn = (name: string, tensor: TensorProto): void => {
    const dims = tensor.dims.map(Number);
    const elements = dims.reduce((product, size) => product * size, 1);
    if (elements > mostElements || !integers.includes(tensor.dataType)) return;
    const values = numbersOf(tensor);
    if (values !== undefined) known.set(name, { type: tensor.dataType, values, dims });
  };
  for (const tensor of initializer) learn(tensor.name, tensor);
  const left: NodeProto[] = [];
  const constants: TensorProto[] = [];
  for (const node of nodes) {
    const [output = ""] = node.output;
    const value = node.opType === "Constant" ? attributeOf(node, "value")?.t : undefined;
    if (value !== undefined) learn(output, value);
    const inputs = node.input.map((name) => known.get(name));
    const isKnown = node.input.length > 0 && inputs.every((each) => each !== undefined);
    const result = isKnown ? computed(node, inputs as Known[]) : integersOf(node);
    if (result === undefined) {
      left.push(node);
      continue;
    }
    known.set(output, result);
    const { type: dataType, values, dims } = result;
    const data = dataType === DataType.INT64 ? { int64Data: values.map(toInt64) } : { int32Data: [...values] };
    constants.push(create(TensorProtoSchema, { name: output, dataType, dims: dims.map(BigInt), ...data }));
  }
  return { nodes: left, constants };
}
