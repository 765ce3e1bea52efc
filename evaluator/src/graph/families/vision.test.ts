// ViT and CLIP against transformers; tests/golden/transformers/make_vision.py made the numbers.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { toFloat32 } from "../../session/float32.ts";
import { float32, programOf, type Tensors } from "../../session/program.ts";
import { createSession } from "../../session/session.ts";
import { goldenPath } from "../../testing/fixtures.ts";
import { labelLogLikelihood } from "../../testing/label-head.ts";
import type { ModelGraph } from "../builder.ts";
import { differentiate } from "../gradient/differentiate.ts";
import { logitsHead } from "../heads.ts";
import { type Matrix, withZeroShotHeads } from "../zero-shot.ts";
import { type BuiltModel, inputNames, logitsName } from "./family.ts";
import { buildModel } from "./index.ts";

interface Golden {
  readonly pixel_values: number[][][][];
  readonly logits: number[][];
  readonly logits_per_image?: number[][];
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

test.each(["CLIPModel", "CLIPVisionModel"])(
  "%s with a zero-shot head gives the logits that CLIP gives for the labels' texts",
  async (architecture) => {
    const name = "clip-features";
    const { golden, feeds } = await reference(name);
    const config = JSON.parse(await readFile(goldenPath(`${name}/config.json`), "utf8"));
    const matrix = async (file: string, tensor: string): Promise<Matrix> => {
      const found = (await loadWeightsFromCheckpoint(goldenPath(`${name}/${file}`))).get(tensor)!;
      return { rows: found.shape[0]!, columns: found.shape[1]!, data: toFloat32(tensor, found) };
    };
    const weight = await matrix("head.safetensors", "weight");
    // A tower without a projection has that of the head.
    const tower = architecture === "CLIPVisionModel";
    const projection = tower ? await matrix("model.safetensors", "visual_projection.weight") : undefined;
    const bare = buildModel(tower ? { ...config.vision_config, architectures: [architecture] } : config);
    // The labels of two tasks, one after another.
    const half = (first: number): Matrix => ({
      ...weight,
      rows: 2,
      data: weight.data.subarray(first * weight.columns, (first + 2) * weight.columns),
    });
    const model = withZeroShotHeads(
      bare,
      [half(0), half(2)].map((each) => ({ weight: each, projection })),
    );
    expect(model).toMatchObject({ kind: "image-classification", labels: 4 });
    const { data } = (await run(name, logitsHead(model), feeds))[logitsName]!;
    const differences = golden.logits_per_image!.flat().map((value, i) => Math.abs(value - data[i]!));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  },
);

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
