// ViT and CLIP against transformers; tests/golden/transformers/make_vision.py made the numbers.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { toFloat32 } from "../../float32.ts";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { float32, programOf, type Tensors } from "../../program.ts";
import { createSession } from "../../session.ts";
import { goldenPath } from "../../testing/fixtures.ts";
import type { ModelGraph } from "../builder.ts";
import { differentiate } from "../gradient/differentiate.ts";
import { labelLogLikelihood, logitsHead } from "../heads.ts";
import { type BuiltModel, inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

interface Golden {
  readonly pixel_values: number[][][][];
  readonly logits: number[][];
}

interface Reference {
  readonly model: BuiltModel;
  readonly golden: Golden;
  readonly feeds: Tensors;
}

async function reference(name: string): Promise<Reference> {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(goldenPath(`${name}/${file}`), "utf8"));
  const golden = (await read("expected.json")) as Golden;
  const model = buildModel(await read("config.json"));
  const { channels, height, width } = model.image!;
  const dims = [golden.logits.length, channels, height, width];
  const feeds = { [inputNames.pixels]: float32(dims, Float32Array.from(golden.pixel_values.flat(3))) };
  return { model, golden, feeds };
}

async function run(name: string, graph: ModelGraph, feeds: Tensors): Promise<Tensors> {
  await using session = createSession({ weights: graph.weights, threads: 1 });
  const program = await session.open(programOf(graph));
  using loaded = await session.load(await loadWeightsFromCheckpoint(goldenPath(name)));
  return (await session.run(loaded, program, [feeds]))[0]!;
}

test.each([
  ["vit", "image-classification"],
  ["clip", "image-classification"],
  ["clip-features", "image-features"],
])("%s gives what transformers computes", async (name, kind) => {
  const { model, golden, feeds } = await reference(name);
  expect(model).toMatchObject({ kind, [kind === "image-features" ? "features" : "labels"]: golden.logits[0]!.length });
  const outputs = await run(name, logitsHead(model), feeds);
  const { dims, data } = outputs[logitsName]!;
  expect(dims).toEqual([golden.logits.length, golden.logits[0]!.length]);
  const differences = golden.logits.flat().map((value, i) => Math.abs(value - data[i]!));
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});

test.each(["vit", "clip"])("%s: the mean squared gradient of the items is PyTorch's", async (name) => {
  const { model, feeds } = await reference(name);
  const { graph, labels = 0 } = model;
  const output = labelLogLikelihood(model, { offset: 0, labels });
  // Item i has label i; a mean of squares is a sum of squares of what weighs 1 / sqrt(items).
  const eye = Float32Array.from({ length: labels ** 2 }, (_, i) =>
    i % (labels + 1) === 0 ? Math.sqrt(1 / labels) : 0,
  );
  const cotangent = graph.input("cotangent", "float32", ["items", labels]);
  const squares = await differentiate(graph, { output, cotangent, wrt: graph.weights.keys(), reduction: "squares" });
  for (const [weight, value] of squares)
    graph.output(`squares:${weight}`, value, "float32", graph.weights.get(weight)!);
  const found = await run(name, graph.build(), { ...feeds, cotangent: float32([labels, labels], eye) });
  const expected = await loadWeightsFromCheckpoint(goldenPath(`${name}/expected_mean_squared_gradient.safetensors`));
  for (const weight of graph.weights.keys()) {
    const values = toFloat32(weight, expected.get(weight)!);
    const largest = Math.max(...values);
    const differences = values.map((value, i) => Math.abs(value - found[`squares:${weight}`]!.data[i]!));
    expect(Math.max(...differences), weight).toBeLessThanOrEqual(1e-4 * largest + 1e-12);
  }
});
