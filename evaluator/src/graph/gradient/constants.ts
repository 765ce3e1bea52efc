/** Reads what a graph fixes: attributes of nodes, and elements of constants such as shapes, axes, indices and exponents. */

import { type AttributeProto, TensorProto_DataType as DataType, type NodeProto, type TensorProto } from "onnx-buf";

export function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

export function intsOf(node: NodeProto, name: string): readonly number[] | undefined {
  return attributeOf(node, name)?.ints.map(Number);
}

/** The elements in row-major order, or undefined for a type no rule reads or for data that lies in another file. */
export function numbersOf(tensor: TensorProto): readonly number[] | undefined {
  const { rawData } = tensor;
  const raw = rawData.length > 0 ? new Uint8Array(rawData).buffer : undefined;
  switch (tensor.dataType) {
    case DataType.BOOL:
      return Array.from(raw ? new Uint8Array(raw) : tensor.int32Data);
    case DataType.INT64:
      return Array.from(raw ? new BigInt64Array(raw) : tensor.int64Data, Number);
    case DataType.INT32:
      return Array.from(raw ? new Int32Array(raw) : tensor.int32Data);
    case DataType.FLOAT:
      return Array.from(raw ? new Float32Array(raw) : tensor.floatData);
    default:
      return undefined;
  }
}
