import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { type Encoding, feedsOf, makeBatches } from "../session/batches.ts";
import { programOf } from "../session/program.ts";
import { createSession } from "../session/session.ts";
import { asWeights, bertConfig, randomEncodings, randomWeights, uniform } from "../testing/fixtures.ts";
import { GraphBuilder, type Value } from "./builder.ts";
import { logitsName } from "./families/family.ts";
import { buildModel } from "./families/index.ts";
import { logitsHead } from "./heads.ts";
import { linear } from "./layers.ts";
import { withRowProducts } from "./row-products.ts";

/** How many linear layers of a graph become products of rows. */
function folded(build: (g: GraphBuilder, x: Value) => Value): number {
  const g = new GraphBuilder("folded");
  g.output("y", build(g, g.input("x", "float32", ["items", "tokens", 4])), "float32", ["items", "tokens", 4]);
  const { model, weights } = g.build();
  return withRowProducts(model.graph!, weights).node.filter(({ opType }) => opType === "Gemm").length;
}

test("linear layers become products of rows, and nothing that only looks like one", () => {
  expect(folded((g, x) => linear(g, linear(g, x, "first", 4, 4), "second", 4, 4))).toBe(2);
  expect(folded((g, x) => linear(g, x, "first", 4, 4, { bias: false }))).toBe(0);
  expect(folded((g, x) => g.op("Add", [x, g.weight("bias", [4])]))).toBe(0);
  expect(folded((g, x) => g.op("Add", [linear(g, x, "first", 4, 4, { bias: false }), x]))).toBe(0);
  expect(folded((g, x) => g.op("Add", [g.op("MatMul", [x, g.weight("w", [4, 4])]), g.weight("b", [4])]))).toBe(1);
  expect(folded((g, x) => g.op("Add", [g.op("MatMul", [x, g.weight("w", [4, 4])]), g.weight("b", [1])]))).toBe(0);
  // A product that something else reads too.
  expect(
    folded((g, x) => {
      const product = linear(g, x, "first", 4, 4, { bias: false });
      return g.op("Mul", [g.op("Add", [product, g.weight("bias", [4])]), product]);
    }),
  ).toBe(0);
});

test.each([
  bertConfig({ hidden: 24, layers: 2, heads: 3, vocabulary: 50, labels: 5 }),
  // Stores its weights the other way round.
  { architectures: ["GPT2LMHeadModel"], n_embd: 24, n_layer: 2, n_head: 3, n_positions: 64, vocab_size: 50 },
])("a model's logits are those of the graph as it was built: $architectures", async (config) => {
  const graph = logitsHead(buildModel(config));
  const asBuilt = { onnx: toBinary(ModelProtoSchema, graph.model), weights: graph.weights, carried: [] };
  await using session = createSession({ weights: graph.weights, threads: 1 });
  using model = await session.load(asWeights(randomWeights(config, 7)));
  const encodings: Encoding[] = randomEncodings(uniform(3), [9, 5, 1, 12], 50);
  const feeds = makeBatches(encodings, { items: 3, tokens: 64 }).map(feedsOf);
  const [built, rows] = await Promise.all(
    [asBuilt, programOf(graph)].map(async (program) => {
      const outputs = await session.run(model, await session.open(program), feeds);
      return outputs.flatMap((output) => [...output[logitsName]!.data]);
    }),
  );
  expect(rows!.length).toBeGreaterThanOrEqual(4 * 5);
  expect(Math.max(...rows!.map((value, i) => Math.abs(value - built![i]!)))).toBeLessThan(1e-6);
});
