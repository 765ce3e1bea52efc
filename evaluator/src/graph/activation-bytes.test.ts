import { expect, test } from "vitest";
import { bertConfig } from "../testing/fixtures.ts";
import { activationBytesPerToken } from "./activation-bytes.ts";
import { GraphBuilder } from "./builder.ts";
import { buildModel } from "./families/index.ts";
import { embedding, project } from "./layers.ts";

test("the widest layer of an encoder bounds its batches", () => {
  const model = buildModel(bertConfig({ hidden: 24, layers: 2, heads: 2, vocabulary: 50, labels: 3 }));
  expect(activationBytesPerToken(model)).toBe(4 * 3 * 4 * 24);
});

test("a vocabulary bounds those of a language model, though its table is read by rows too", () => {
  const g = new GraphBuilder("tied");
  const ids = g.input("input_ids", "int32", ["items", "tokens"]);
  const logits = project(g, embedding(g, ids, "table", 1000, 8), g.weight("table.weight", [1000, 8]));
  expect(activationBytesPerToken({ architecture: "Tied", kind: "causal-lm", graph: g, logits })).toBe(4 * 3 * 1000);
});
