// Squares of gradients by item against what PyTorch computes in float64, for graphs that read positions and distances of their own; see make.py.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../../model-directory.ts";
import { WeightLoader } from "../../session/loaded-weights.ts";
import { float32, int32, type Tensors } from "../../session/program.ts";
import { goldenPath } from "../../testing/fixtures.ts";
import { labelLogLikelihood } from "../../testing/label-head.ts";
import { runGraph } from "../../testing/run-graph.ts";
import { differentiate } from "../gradient/differentiate.ts";
import { targetNames, tokenLogLikelihood } from "../heads.ts";
import { inputNames } from "./family.ts";
import { buildModel } from "./index.ts";

interface Golden {
  readonly inputs: Readonly<Record<string, number[][]>>;
  /** Of each label or place. */
  readonly target_weights: number[][];
  readonly targets?: number[][];
}

const asInts = (rows: number[][]) => int32([rows.length, rows[0]!.length], Int32Array.from(rows.flat()));
const asFloats = (rows: number[][]) => float32([rows.length, rows[0]!.length], Float32Array.from(rows.flat()));
const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

async function read(path: string): Promise<ReadonlyMap<string, Float32Array>> {
  const weights = await loadWeightsFromCheckpoint(path);
  return new WeightLoader(new Map([...weights.names()].map((name) => [name, weights.get(name)!.shape])), 0).load(
    weights,
  );
}

test.each(["roberta", "t5"])("%s: the sum of the squares of every item's gradient", async (folder) => {
  const json = (file: string): unknown => JSON.parse(readFileSync(goldenPath(`${folder}/${file}`), "utf8"));
  const { inputs, targets, target_weights: weights } = json("expected.json") as Golden;
  const stored = await read(goldenPath(folder));
  const expected = await read(goldenPath(`${folder}/expected_squares.safetensors`));
  const model = buildModel(json("config.json"), (name) => stored.has(name));
  const { graph } = model;

  const items = weights.length;
  const feeds: Record<string, Tensors[string]> = Object.fromEntries(
    Object.entries(inputs).map(([name, rows]) => [name, name === inputNames.mask ? asFloats(rows) : asInts(rows)]),
  );
  for (const [name, values] of stored) feeds[name] = float32(graph.weights.get(name)!, values);
  const labels = weights[0]!.length;
  const output = targets === undefined ? labelLogLikelihood(model, { offset: 0, labels }) : tokenLogLikelihood(model);
  if (targets === undefined) {
    feeds["cotangent"] = asFloats(weights);
  } else {
    feeds[targetNames.targets] = asInts(targets);
    feeds[targetNames.weights] = asFloats(weights);
    feeds["cotangent"] = float32([items], new Float32Array(items).fill(1));
  }
  const cotangent = graph.input("cotangent", "float32", targets === undefined ? ["items", labels] : ["items"]);
  const squares = await differentiate(graph, { output, cotangent, wrt: graph.weights.keys(), reduction: "squares" });
  for (const [name, value] of squares) graph.output(`squares:${name}`, value, "float32", graph.weights.get(name)!);
  const found = await runGraph(graph.build(), feeds);

  const scale = Math.max(...[...expected.values()].map(largest));
  expect([...squares.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  for (const [name, values] of expected) {
    const difference = largest(values.map((value, i) => value - found.get(`squares:${name}`)!.data[i]!));
    // The gradients of keys' biases are zero but for rounding.
    expect(difference, name).toBeLessThan(1e-4 * Math.max(largest(values), 1e-6 * scale));
  }
});
