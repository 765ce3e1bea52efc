import { create } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { expect, test } from "vitest";
import { float32 } from "../../session/program.ts";
import { runGraph } from "../../testing/run-graph.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { foldIntegers } from "./fold.ts";
import { upgradeNodes } from "./opset.ts";

const ints = (name: string, ...values: number[]) => ({ name, type: AttributeType.INTS, ints: values.map(BigInt) });
const int = (name: string, value: number) => ({ name, type: AttributeType.INT, i: BigInt(value) });

/** In the words of opset 17: the means of two halves of each row, next to each other. */
function older(): ModelProto {
  const node = [
    { opType: "Split", input: ["x"], output: ["a", "b"], attribute: [int("axis", 1)] },
    { opType: "ReduceMean", input: ["a"], output: ["c"], attribute: [ints("axes", 1), int("keepdims", 1)] },
    { opType: "ReduceMax", input: ["b"], output: ["d"], attribute: [ints("axes", -1), int("keepdims", 1)] },
    { opType: "Concat", input: ["c", "d"], output: ["y"], attribute: [int("axis", 1)] },
  ].map((each) => create(NodeProtoSchema, each));
  const graph = create(GraphProtoSchema, { node, input: [create(ValueInfoProtoSchema, { name: "x" })] });
  return create(ModelProtoSchema, { graph, opsetImport: [create(OperatorSetIdProtoSchema, { version: 17n })] });
}

test("nodes of an older opset compute the same in the words of a newer one", async () => {
  const { nodes, constants } = upgradeNodes(older());
  const g = new GraphBuilder("newer");
  g.input("x", "float32", ["items", 4]);
  g.append(nodes, constants);
  g.output("out", "y" as Value, "float32", ["items", 2]);
  const outputs = await runGraph(g.build(), { x: float32([2, 4], Float32Array.of(1, 3, 7, 5, 2, 4, -1, -2)) });
  expect([...outputs.get("out")!.data]).toEqual([2, 7, 3, -1]);
});

test("constants of constants are computed, with their types and shapes; what depends on an input is left", () => {
  const node = [
    { opType: "Constant", output: ["one"], attribute: [int("value_int", 5)] },
    { opType: "Constant", output: ["shape"], attribute: [ints("value_ints", -1)] },
    { opType: "Cast", input: ["one"], output: ["cast"], attribute: [int("to", 6)] },
    { opType: "Reshape", input: ["cast", "shape"], output: ["axes"] },
    { opType: "Concat", input: ["axes", "axes"], output: ["pair"], attribute: [int("axis", 0)] },
    { opType: "Shape", input: ["x"], output: ["left"] },
    { opType: "Concat", input: ["left", "pair"], output: ["mixed"], attribute: [int("axis", 0)] },
  ].map((each) => create(NodeProtoSchema, each));
  const { nodes, constants } = foldIntegers({ node, initializer: [] });
  expect(nodes.map(({ output }) => output[0])).toEqual(["left", "mixed"]);
  expect(constants.find(({ name }) => name === "pair")).toMatchObject({ dataType: 6, dims: [2n], int32Data: [5, 5] });
  expect(constants.find(({ name }) => name === "one")).toMatchObject({ dataType: 7, dims: [], int64Data: [5n] });
});
