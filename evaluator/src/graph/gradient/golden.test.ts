/** Gradients, squares of gradients and the exact Fisher information against what PyTorch computes; see tests/golden/transformers. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { WeightLoader } from "../../session/loaded-weights.ts";
import { float32, int32, type Tensors } from "../../session/program.ts";
import { labelLogLikelihood } from "../../testing/label-head.ts";
import { runGraph } from "../../testing/run-graph.ts";
import type { Value } from "../builder.ts";
import { type BuiltModel, inputNames } from "../families/family.ts";
import { buildModel } from "../families/index.ts";
import { targetNames, tokenLogLikelihood } from "../heads.ts";
import { differentiate } from "./differentiate.ts";
import type { Reduction } from "./gradient.ts";

const directory = (family: string): string =>
  fileURLToPath(new URL(`../../../../tests/golden/transformers/${family}`, import.meta.url));

interface Expected {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask?: number[][] };
  readonly labels?: number[];
}

async function read<T>(family: string, file: string): Promise<T> {
  return JSON.parse(await readFile(`${directory(family)}/${file}`, "utf8")) as T;
}

const build = async (family: string): Promise<BuiltModel> => buildModel(await read(family, "config.json"));

/** Gradients of `output` by all weights, reduced to one tensor of each weight's shape. */
async function gradients(
  family: string,
  model: BuiltModel,
  output: Value,
  cotangent: Value,
  reduction: Reduction,
  feeds: Tensors,
): Promise<Map<string, Float32Array>> {
  const { graph } = model;
  const found = await differentiate(graph, { output, cotangent, wrt: graph.weights.keys(), reduction });
  for (const [name, value] of found) graph.output(`gradient:${name}`, value, "float32", graph.weights.get(name)!);
  const loaded = await new WeightLoader(graph.weights, 0).load(await loadWeightsFromCheckpoint(directory(family)));
  const weights = [...loaded].map(([name, data]) => [name, float32(graph.weights.get(name)!, data)]);
  const outputs = await runGraph(graph.build(), { ...feeds, ...Object.fromEntries(weights) });
  return new Map([...outputs].map(([name, { data }]) => [name.slice("gradient:".length), data]));
}

/** The largest difference of a tensor is at most 1e-4 of its largest element, or of 1e-5 of the model's: some are zero but for rounding. */
async function expectGolden(family: string, file: string, found: Map<string, Float32Array>, factor = 1): Promise<void> {
  const weights = await loadWeightsFromCheckpoint(`${directory(family)}/${file}.safetensors`);
  const shapes = new Map([...weights.names()].map((name) => [name, weights.get(name)!.shape]));
  const expected = await new WeightLoader(shapes, 0).load(weights);
  const largest = Math.max(...[...expected.values()].map(magnitude));
  expect(new Set(found.keys())).toEqual(new Set(expected.keys()));
  for (const [name, values] of expected) {
    const difference = magnitude(values.map((value, i) => value - found.get(name)![i]! * factor));
    expect(difference, name).toBeLessThan(1e-4 * Math.max(magnitude(values), 1e-5 * largest));
  }
}

const magnitude = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const oneHot = (labels: readonly number[], count: number, value: number): Float32Array =>
  Float32Array.from(labels.flatMap((label) => Array.from({ length: count }, (_, i) => (i === label ? value : 0))));

async function encoderFeeds(family: string, begin = 0, end?: number): Promise<{ feeds: Tensors; labels: number[] }> {
  const { inputs, labels } = await read<Expected>(family, "expected.json");
  const ids = inputs.input_ids.slice(begin, end);
  const dims = [ids.length, ids[0]!.length];
  return {
    labels: labels!.slice(begin, end),
    feeds: {
      [inputNames.ids]: int32(dims, Int32Array.from(ids.flat())),
      [inputNames.types]: int32(dims, new Int32Array(ids.flat().length)),
      [inputNames.mask]: float32(dims, Float32Array.from(inputs.attention_mask!.slice(begin, end).flat())),
    },
  };
}

test.each([
  { reduction: "sum", items: 1, file: "expected_gradient_of_example_0", factor: -1 },
  { reduction: "squares", items: 3, file: "expected_mean_squared_gradient", factor: 1 / 3 },
] as const)("BERT: $file", async ({ reduction, items, file, factor }) => {
  const model = await build("bert");
  const { feeds, labels } = await encoderFeeds("bert", 0, items);
  const output = labelLogLikelihood(model, { offset: 0, labels: 3 });
  const cotangent = model.graph.input("cotangent", "float32", ["items", 3]);
  const all = { ...feeds, cotangent: float32([items, 3], oneHot(labels, 3, 1)) };
  await expectGolden("bert", file, await gradients("bert", model, output, cotangent, reduction, all), factor);
});

test("BERT: the exact Fisher information, one forward pass of an item serving the gradients of all its labels", async () => {
  const { logits } = await read<{ logits: number[][] }>("bert", "expected.json");
  const sums = new Map<string, Float32Array>();
  for (const [item, row] of logits.entries()) {
    const model = await build("bert");
    const output = labelLogLikelihood(model, { offset: 0, labels: 3 });
    const cotangent = model.graph.input("cotangent", "float32", ["labels", 3]);
    const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const weights = row.flatMap((logit, label) => [...oneHot([label], 3, Math.sqrt(Math.exp(logit) / total))]);
    const { feeds } = await encoderFeeds("bert", item, item + 1);
    const all = { ...feeds, cotangent: float32([3, 3], Float32Array.from(weights)) };
    for (const [name, values] of await gradients("bert", model, output, cotangent, "squares", all)) {
      sums.set(
        name,
        values.map((value, i) => value + (sums.get(name)?.[i] ?? 0)),
      );
    }
  }
  await expectGolden("bert", "expected_exact_fisher", sums, 1 / 3);
});

test.each([
  ...["gpt2", "llama"].map(
    (family) => ({ family, reduction: "sum", items: 1, file: "expected_gradient_of_example_0", factor: -1 }) as const,
  ),
  ...["gpt2", "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2"].map(
    (family) =>
      ({ family, reduction: "squares", items: 3, file: "expected_mean_squared_gradient", factor: 1 / 3 }) as const,
  ),
])("$family: $file of the mean next-token log-likelihood", async ({ family, reduction, items, file, factor }) => {
  const model = await build(family);
  const { inputs } = await read<Expected>(family, "expected.json");
  const ids = inputs.input_ids.slice(0, items);
  const tokens = ids[0]!.length;
  const dims = [items, tokens];
  const nextTokens = ids.map((row) => [...row.slice(1), 0]);
  const mask = inputs.attention_mask?.slice(0, items) ?? ids.map((row) => row.map(() => 1));
  const shares = mask.flatMap((row) => {
    // A text of one token has no next one.
    const targets = row.filter((value) => value === 1).length - 1;
    return row.map((_, place) => (place < targets ? 1 / targets : 0));
  });
  const output = tokenLogLikelihood(model);
  const cotangent = model.graph.input("cotangent", "float32", ["items"]);
  const feeds = {
    [inputNames.ids]: int32(dims, Int32Array.from(ids.flat())),
    [inputNames.mask]: float32(dims, Float32Array.from(mask.flat())),
    [targetNames.targets]: int32(dims, Int32Array.from(nextTokens.flat())),
    [targetNames.weights]: float32(dims, Float32Array.from(shares)),
    cotangent: float32([items], new Float32Array(items).fill(1)),
  };
  await expectGolden(family, file, await gradients(family, model, output, cotangent, reduction, feeds), factor);
});
