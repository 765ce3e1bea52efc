/** Operators as one opset has them in the words of a newer one, so that what is appended to a graph and the graph agree. */

import { clone, create } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";

export const oldestOpset = 13;
/** Later ones have operators that onnxruntime may not. */
export const newestOpset = 23;

/** The version of the operators without a domain; 1 where a file names none. */
export function versionOf({ opsetImport }: ModelProto): number {
  return Number(opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 1);
}

/** Reductions whose axes became an input with opset 18; ReduceSum's were one before. */
const reductions = /^Reduce(L1|L2|LogSum|LogSumExp|Max|Mean|Min|Prod|SumSquare)$/;

/**
 * The nodes of a graph in opset 18 or later, and the constants that they read besides: reductions take their axes as an input, and a Split into equal
 * parts says how many. No other operator of models changed in a way that older graphs would feel.
 * @see https://github.com/onnx/onnx/blob/main/docs/Changelog.md
 */
export function upgradeNodes(model: ModelProto): { readonly nodes: NodeProto[]; readonly constants: TensorProto[] } {
  const nodes = model.graph!.node;
  if (versionOf(model) >= 18) return { nodes, constants: [] };
  const constants = new Map<string, TensorProto>();
  const axesOf = (axes: readonly bigint[]): string => {
    const name = `axes ${axes}`;
    const dims = [BigInt(axes.length)];
    constants.set(name, create(TensorProtoSchema, { name, dataType: DataType.INT64, dims, int64Data: [...axes] }));
    return name;
  };
  const upgrade = (node: NodeProto): NodeProto => {
    const { opType, domain, input, output, attribute } = node;
    if (domain !== "" && domain !== "ai.onnx") return node;
    const axes = attribute.find(({ name }) => name === "axes")?.ints;
    if (reductions.test(opType) && axes !== undefined) {
      const others = attribute.filter(({ name }) => name !== "axes");
      const inputs = [input[0]!, axesOf(axes)];
      return Object.assign(clone(NodeProtoSchema, node), { input: inputs, attribute: others });
    }
    if (opType === "Split" && (input[1] ?? "") === "") {
      const parts = { name: "num_outputs", type: AttributeType.INT, i: BigInt(output.length) };
      const attributes = [...attribute, create(AttributeProtoSchema, parts)];
      return Object.assign(clone(NodeProtoSchema, node), { attribute: attributes });
    }
    return node;
  };
  return { nodes: nodes.map(upgrade), constants: [...constants.values()] };
}
