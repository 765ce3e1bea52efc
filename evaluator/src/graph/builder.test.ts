import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { GraphBuilder, onnxBytes } from "./builder.ts";

test("a weight declared twice is one input, and must keep its shape", () => {
  const g = new GraphBuilder("tied");
  expect(g.weight("embeddings", [4, 2])).toBe(g.weight("embeddings", [4, 2]));
  expect(() => g.weight("embeddings", [2, 4])).toThrow("weight embeddings is declared as [4,2] and as [2,4]");
  expect(g.build().model.graph!.input).toHaveLength(1);
});

test("a renamed weight is read under its new name everywhere, and is one with the weight of that name", () => {
  const g = new GraphBuilder("renamed");
  const [first, second] = [g.weight("embeddings", [4, 2]), g.weight("head", [4, 2])];
  g.op("Add", [first, g.op("Neg", [second])]);
  g.renameWeight("head", "embeddings");
  g.renameWeight("embeddings", "shared");
  g.renameWeight("unknown", "shared");
  const { model, weights } = g.build();
  expect([...weights]).toEqual([["shared", [4, 2]]]);
  expect(model.graph!.input.map(({ name }) => name)).toEqual(["shared"]);
  expect(model.graph!.node.map(({ input }) => input)).toEqual([["shared"], ["shared", "Neg_0"]]);
  g.op("Neg", [first]);
  expect(g.weight("head", [4, 2])).toBe("shared");
  expect(g.build().model.graph!.node.at(-1)!.input).toEqual(["shared"]);
  g.weight("other", [2, 4]);
  expect(() => g.renameWeight("other", "shared")).toThrow("weight shared is declared as [4,2] and as [2,4]");
});

test("equal constants are stored once, constants of another type or shape are not equal", () => {
  const g = new GraphBuilder("constants");
  expect(g.int64s(1, 2)).toBe(g.int64s(1, 2));
  expect(g.floats([1], [0])).not.toBe(g.floats([], [0]));
  expect(g.floats([2], [0, 0])).not.toBe(g.int64s(0));
  expect(g.build().model.graph!.initializer).toHaveLength(5);
});

test("what no output needs is left out", () => {
  const g = new GraphBuilder("pruned");
  const x = g.input("x", "float32", [2]);
  const [kept, spare] = [g.op("Neg", [x]), g.op("Exp", [x])];
  g.op("Abs", [spare]);
  g.output("y", g.op("Sqrt", [kept]), "float32", [2]);
  const { graph } = fromBinary(ModelProtoSchema, onnxBytes(g.build()));
  expect(graph!.node.map(({ opType }) => opType)).toEqual(["Neg", "Sqrt", "Identity"]);
});
