import { expect, test } from "vitest";
import { float32 } from "../../session/program.ts";
import { bertConfig } from "../../testing/fixtures.ts";
import { labelLogLikelihood } from "../../testing/label-head.ts";
import { runGraph } from "../../testing/run-graph.ts";
import { int, ints } from "../attributes.ts";
import { GraphBuilder, type Value } from "../builder.ts";
import { buildModel } from "../families/index.ts";
import { differentiate } from "./differentiate.ts";

function small(build: (g: GraphBuilder, x: Value, w: Value) => Value): {
  g: GraphBuilder;
  output: Value;
  cotangent: Value;
} {
  const g = new GraphBuilder("small");
  const output = build(g, g.input("x", "float32", ["items", 2]), g.weight("w", [2]));
  return { g, output, cotangent: g.input("cotangent", "float32", ["items", 2]) };
}

test("operators without a rule are named with their nodes, and those with one listed", async () => {
  const { g, output, cotangent } = small((graph, x, w) =>
    graph.op("Asinh", [graph.op("Atanh", [graph.op("Add", [graph.op("Asinh", [w]), graph.op("Acosh", [x])])])]),
  );
  await expect(differentiate(g, { output, cotangent, wrt: ["w"], reduction: "sum" })).rejects.toThrow(
    /^operators that cannot be differentiated lie between the parameters and the output: Asinh \(node Asinh_0 and 1 more\), Atanh \(node Atanh_3\); those that can: Abs, Add, /,
  );
});

test("names that are no weights of the graph are refused", async () => {
  const { g, output, cotangent } = small((graph, x, w) => graph.op("Mul", [x, w]));
  await expect(differentiate(g, { output, cotangent, wrt: ["w", "x", "v"], reduction: "sum" })).rejects.toThrow(
    "the graph has no weights x, v that it could be differentiated by",
  );
});

test("a parameter that does not reach the output, or only through integers, has zeros", async () => {
  const { g, output, cotangent } = small((graph, x, w) => {
    const rounded = graph.op("Cast", [graph.op("Cast", [graph.weight("v", [2])], { to: int(7) })], { to: int(1) });
    return graph.op("Mul", [graph.op("Mul", [x, w]), rounded]);
  });
  g.weight("unused", [3]);
  const found = await differentiate(g, { output, cotangent, wrt: ["unused", "v", "w"], reduction: "squares" });
  for (const [name, value] of found) g.output(name === "w" ? "dw" : `d${name}`, value, "float32", ["any"]);
  const outputs = await runGraph(g.build(), {
    x: float32([2, 2], Float32Array.of(1, 2, 3, 4)),
    w: float32([2], Float32Array.of(1, 1)),
    v: float32([2], Float32Array.of(2.5, 3)),
    unused: float32([3], Float32Array.of(1, 1, 1)),
    cotangent: float32([2, 2], Float32Array.of(1, 1, 1, 1)),
  });
  expect([...outputs.get("dunused")!.data]).toEqual([0, 0, 0]);
  expect([...outputs.get("dv")!.data]).toEqual([0, 0]);
  expect([...outputs.get("dw")!.data]).toEqual([4 * (1 + 9), 9 * (4 + 16)]);
});

test("only what the wanted parameters need is computed", async () => {
  const appended = async (wanted: (name: string) => boolean): Promise<number> => {
    const model = buildModel(bertConfig({ hidden: 8, layers: 4, heads: 2, vocabulary: 20, labels: 3 }));
    const output = labelLogLikelihood(model, { offset: 0, labels: 3 });
    const cotangent = model.graph.input("cotangent", "float32", ["items", 3]);
    const nodes = model.graph.build().model.graph!.node;
    const before = nodes.length;
    const wrt = [...model.graph.weights.keys()].filter(wanted);
    await differentiate(model.graph, { output, cotangent, wrt, reduction: "sum" });
    return nodes.length - before;
  };
  const all = await appended(() => true);
  const lastLayer = await appended((name) => !name.includes("embeddings") && !/layer\.[012]/.test(name));
  const classifier = await appended((name) => name === "classifier.bias");
  expect(lastLayer).toBeLessThan(all / 3);
  expect(classifier).toBeLessThan(10);
});

test("rows of items that were folded into one axis are refused when the graph runs, if their gradients are to be kept apart", async () => {
  const build = async (reduction: "sum" | "squares"): Promise<GraphBuilder> => {
    const g = new GraphBuilder("folded");
    const rows = g.op("Reshape", [g.input("x", "float32", ["items", 3, 2]), g.int64s(-1, 2)]);
    const output = g.op("Reshape", [g.op("MatMul", [rows, g.weight("w", [2, 2])]), g.int64s(-1, 3, 2)]);
    const cotangent = g.input("cotangent", "float32", ["items", 3, 2]);
    const found = await differentiate(g, { output, cotangent, wrt: ["w"], reduction });
    g.output("dw", found.get("w")!, "float32", [2, 2]);
    return g;
  };
  const feeds = {
    x: float32([2, 3, 2], new Float32Array(12).fill(1)),
    w: float32([2, 2], new Float32Array(4)),
    cotangent: float32([2, 3, 2], new Float32Array(12).fill(1)),
  };
  expect([...(await runGraph((await build("sum")).build(), feeds)).get("dw")!.data]).toEqual([6, 6, 6, 6]);
  await expect(runGraph((await build("squares")).build(), feeds)).rejects.toThrow("cannot be reshaped");
});

test("a graph can be continued from its gradients, and differentiated again", async () => {
  const { g, output, cotangent } = small((graph, x, w) => graph.op("Mul", [x, graph.op("Mul", [w, w])]));
  const first = (await differentiate(g, { output, cotangent, wrt: ["w"], reduction: "sum" })).get("w")!;
  const one = g.input("one", "float32", [2]);
  const second = await differentiate(g, { output: first, cotangent: one, wrt: ["w"], reduction: "sum" });
  g.output("second", second.get("w")!, "float32", [2]);
  const outputs = await runGraph(g.build(), {
    x: float32([2, 2], Float32Array.of(1, 2, 3, 4)),
    w: float32([2], Float32Array.of(5, 6)),
    cotangent: float32([2, 2], Float32Array.of(1, 1, 1, 1)),
    one: float32([2], Float32Array.of(1, 1)),
  });
  expect([...outputs.get("second")!.data]).toEqual([8, 12]);
});

test("a transposed weight's gradient is one product, without moving a matrix", async () => {
  const g = new GraphBuilder("linear");
  const x = g.input("x", "float32", ["items", 3, 2]);
  const output = g.op("MatMul", [x, g.op("Transpose", [g.weight("w", [4, 2])], { perm: ints(1, 0) })]);
  const cotangent = g.input("cotangent", "float32", ["items", 3, 4]);
  const nodes = g.build().model.graph!.node;
  const before = nodes.length;
  await differentiate(g, { output, cotangent, wrt: ["w"], reduction: "items" });
  const appended = nodes.slice(before).map(({ opType }) => opType);
  expect(appended.filter((opType) => opType === "MatMul")).toHaveLength(1);
  // What is transposed goes into the product, where onnxruntime fuses it.
  expect(appended.filter((opType) => opType === "Transpose")).toHaveLength(1);
});
