import { openCheckpoint, openCheckpointFile } from "@amalgam/checkpoint";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { buildModel } from "../graph/families/index.ts";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { ResidentModels } from "../resident-models.ts";
import { createSession } from "../session.ts";
import { goldenDirectory, readGolden } from "../testing/fixtures.ts";
import { FisherEstimator, type FisherItem } from "./estimate.ts";

interface Expected {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly labels: number[];
}

const config = await readGolden("config.json");
const expected = await readGolden<Expected>("expected.json");
const weights = await loadWeightsFromCheckpoint(goldenDirectory);
const items: FisherItem[] = expected.inputs.input_ids.map((row, i) => {
  const ids = row.slice(
    0,
    expected.inputs.attention_mask[i]!.reduce((a, b) => a + b, 0),
  );
  return { place: `item ${i}`, texts: [{ ids, types: ids.map(() => 0) }], truth: expected.labels[i]!, uniform: 0.5 };
});
const head = { kind: "labels", offset: 0, labels: 3 } as const;

function estimatorOf(threads: number): FisherEstimator & AsyncDisposable {
  const session = createSession({ weights: buildModel(config).graph.weights, threads });
  const estimator = new FisherEstimator(session, new ResidentModels(session, 1), () => buildModel(config), threads);
  return Object.assign(estimator, { [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() });
}

async function readTensors(file: string): Promise<Map<string, Float32Array>> {
  const checkpoint = await openCheckpoint(`${goldenDirectory}/${file}`);
  const tensors = new Map<string, Float32Array>();
  for (const { name, offset, byteLength } of checkpoint.tensors.values()) {
    await using source = await openCheckpointFile(checkpoint, file);
    const values = new Float32Array(byteLength / 4);
    await source.readInto(new Uint8Array(values.buffer), offset);
    tensors.set(name, values);
  }
  return tensors;
}

test.for([
  ["exact", "expected_exact_fisher.safetensors"],
  ["empirical", "expected_mean_squared_gradient.safetensors"],
] as const)("%s: the numbers of PyTorch, tensor by tensor", async ([kind, file]) => {
  await using estimator = estimatorOf(1);
  const { tensors, items: count } = await estimator.estimate(weights, head, items, { estimator: kind });
  expect(count).toBe(3);
  const golden = await readTensors(file);
  expect([...tensors.keys()].sort()).toEqual([...golden.keys()].sort());
  // Gradients of the keys' biases are zero but for rounding: a softmax does not see what is added to all of its inputs.
  const rounding = 1e-10 * Math.max(...golden.values().map((values) => Math.max(...values)));
  for (const [name, values] of golden) {
    const largest = Math.max(rounding, ...values);
    const worst = Math.max(...values.map((value, i) => Math.abs(value - tensors.get(name)![i]!)));
    expect(worst / largest, name).toBeLessThan(1e-4);
  }
});
