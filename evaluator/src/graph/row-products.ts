/**
 * Linear layers as one operator over rows. Graphs keep the items on an axis of their own so that gradients can be had for each (see `layers.ts`),
 * which costs a pass over the activations for every bias; a graph that is about to run need not, and Gemm adds the bias as it goes.
 */

import { create } from "@bufbuild/protobuf";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import { type Attribute, attributeProto, int } from "./attributes.ts";

/** `Add(MatMul(x, weight), bias)`: x `[..., inputs]`, weight `[inputs, outputs]` or a transposed `[outputs, inputs]`, bias `[outputs]`. */
interface LinearLayer {
  readonly x: string;
  readonly weight: string;
  readonly transposed: boolean;
  readonly bias: string;
  readonly inputs: number;
  readonly outputs: number;
}

const isTransposition = ({ opType, attribute }: NodeProto): boolean =>
  opType === "Transpose" && attribute.every(({ name, ints }) => name !== "perm" || ints.join() === "1,0");

/**
 * The graph with every linear layer whose product nothing else reads as `Reshape(Gemm(Reshape(x), weight, bias))`. What the layers were made of
 * stays behind, and is needed by nothing.
 * @param weights shape of each input that is a weight
 */
export function withRowProducts(graph: GraphProto, weights: ReadonlyMap<string, readonly number[]>): GraphProto {
  const producers = new Map(graph.node.flatMap((each) => each.output.map((name) => [name, each] as const)));
  const uses = new Map<string, number>();
  for (const name of [...graph.node.flatMap(({ input }) => input), ...graph.output.map((each) => each.name)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  const nodes: NodeProto[] = [];
  const constants = new Map<string, TensorProto>();
  const made = new Set<string>();

  /** Appends a node, unless one of this output is there. */
  const op = (output: string, opType: string, input: string[], attributes: Record<string, Attribute> = {}): string => {
    if (made.has(output)) return output;
    made.add(output);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    nodes.push(create(NodeProtoSchema, { name: output, opType, input, output: [output], attribute }));
    return output;
  };
  const int64s = (...values: number[]): string => {
    const name = `sizes:${values}`;
    const int64Data = values.map(BigInt);
    constants.set(
      name,
      create(TensorProtoSchema, { name, dataType: DataType.INT64, dims: [BigInt(values.length)], int64Data }),
    );
    return name;
  };

  const layerOf = ({ opType, input: [product = "", bias = ""] }: NodeProto): LinearLayer | undefined => {
    const multiply = producers.get(product);
    if (opType !== "Add" || multiply?.opType !== "MatMul" || uses.get(product) !== 1) return undefined;
    const [x = "", factor = ""] = multiply.input;
    const transpose = producers.get(factor);
    const transposed = transpose !== undefined && isTransposition(transpose);
    const weight = transposed ? transpose.input[0]! : factor;
    const shape = weights.get(weight) ?? [];
    const [inputs, outputs] = transposed ? shape.toReversed() : shape;
    if (inputs === undefined || outputs === undefined || shape.length > 2) return undefined;
    return weights.get(bias)?.join() === `${outputs}` ? { x, weight, transposed, bias, inputs, outputs } : undefined;
  };

  for (const node of graph.node) {
    const layer = layerOf(node);
    if (layer === undefined) {
      nodes.push(node);
      continue;
    }
    const { x, weight, transposed, bias, inputs, outputs } = layer;
    const rows = op(`rows:${x}`, "Reshape", [x, int64s(-1, inputs)]);
    const product = op(`product:${node.name}`, "Gemm", [rows, weight, bias], { transB: int(transposed ? 1 : 0) });
    const lead = op(`lead:${x}`, "Shape", [x], { start: int(0), end: int(-1) });
    const shape = op(`shape:${x}:${outputs}`, "Concat", [lead, int64s(outputs)], { axis: int(0) });
    op(node.output[0]!, "Reshape", [product, shape]);
  }
  return { ...graph, node: nodes, initializer: [...graph.initializer, ...constants.values()] };
}
