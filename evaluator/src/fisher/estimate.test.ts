import { afterAll, expect, test } from "vitest";
import { buildModel } from "../graph/families/index.ts";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { ResidentModels } from "../session/resident-models.ts";
import { createSession } from "../session/session.ts";
import { goldenDirectory, readGolden } from "../testing/fixtures.ts";
import { expectFloats, type FloatTensors, readFloats } from "../testing/golden-tensors.ts";
import type { FisherItem, FisherSample } from "./answer-chooser.ts";
import { estimators } from "./answers.ts";
import { FisherEstimator, type RunningSum } from "./estimate.ts";

interface Expected {
  readonly inputs: { readonly input_ids: number[][]; readonly attention_mask: number[][] };
  readonly labels: number[];
}

const config = await readGolden("config.json");
const expected = await readGolden<Expected>("expected.json");
const weights = await loadWeightsFromCheckpoint(goldenDirectory);
const always = (value: number) => (count: number) => new Float32Array(count).fill(value);
const sampleOf = (all: readonly FisherItem[]): FisherSample => ({
  ...{ task: "golden", openEnded: false, items: all },
  head: { kind: "labels", offset: 0, labels: 3, classes: 3 },
});
const items: FisherItem[] = expected.inputs.input_ids.map((row, i) => {
  const ids = row.slice(
    0,
    expected.inputs.attention_mask[i]!.reduce((a, b) => a + b, 0),
  );
  return {
    place: `item ${i}`,
    texts: [{ ids, types: ids.map(() => 0) }],
    truth: expected.labels[i]!,
    draws: always(0.5),
  };
});

const limits = { items: 32, tokens: 4096 };

function estimatorOf(threads: number): FisherEstimator & AsyncDisposable {
  const session = createSession({ weights: buildModel(config).graph.weights, threads });
  const estimator = new FisherEstimator(
    session,
    new ResidentModels(session, 1),
    () => buildModel(config),
    threads,
    limits,
  );
  return Object.assign(estimator, { [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() });
}

const one = estimatorOf(1);
const three = estimatorOf(3);
afterAll(async () => {
  await Promise.all([one, three].map((estimator) => estimator[Symbol.asyncDispose]()));
});

test.for([
  ["exact", "expected_exact_fisher.safetensors"],
  ["empirical", "expected_mean_squared_gradient.safetensors"],
] as const)("%s: the numbers of PyTorch, tensor by tensor", async ([kind, file]) => {
  const { tensors, items: count } = await one.estimate(weights, sampleOf(items), { estimator: kind });
  expect(count).toBe(3);
  expectFloats(tensors, await readFloats(`${goldenDirectory}/${file}`), 1e-4);
});

/** Texts of 1 to 12 tokens of the golden model's vocabulary. */
const many: FisherItem[] = Array.from({ length: 21 }, (_, i) => {
  const ids = Array.from({ length: 1 + ((7 * i) % 12) }, (_, t) => (31 * i + 17 * t * t) % 120);
  return { place: `item ${i}`, texts: [{ ids, types: ids.map(() => 0) }], truth: i % 3, draws: always((i + 0.5) / 21) };
});

const weightedMean = (parts: readonly { readonly weight: number; readonly tensors: FloatTensors }[]): FloatTensors =>
  new Map(
    [...parts[0]!.tensors].map(([name, values]) => [
      name,
      values.map((_, i) => parts.reduce((sum, { weight, tensors }) => sum + weight * tensors.get(name)![i]!, 0)),
    ]),
  );

test.for(estimators)("%s: the same bits with one thread and with three", async (kind) => {
  const options = { estimator: kind };
  const expected = await one.estimate(weights, sampleOf(many), options);
  const found = await three.estimate(weights, sampleOf(many), options);
  expect(found.items).toBe(many.length);
  for (const [name, values] of expected.tensors) expect(found.tensors.get(name), name).toEqual(values);
});

test("parts, weighted by their items, make the whole; so do the items alone, in any order", async () => {
  const estimate = (part: readonly FisherItem[]) => one.estimate(weights, sampleOf(part), {});
  const whole = await estimate(many);
  const cut = [many.slice(13), many.slice(0, 6), many.slice(6, 13)];
  for (const parts of [cut, many.map((item) => [item])]) {
    const estimates = await Promise.all(parts.map(estimate));
    const weighted = estimates.map(({ items: count, tensors }) => ({ weight: count / many.length, tensors }));
    expectFloats(weightedMean(weighted), whole.tensors, 1e-6);
  }
});

test("exact is the expectation of sampled, and of empirical over the labels that the model gives", async () => {
  const [item] = items as [FisherItem];
  const { tensors: exact } = await one.estimate(weights, sampleOf([item]), {});
  // The golden model's logits of this item; see its expected.json.
  const odds = [0.021538205, -0.017879192, -0.025287617].map(Math.exp);
  const chances = odds.map((each) => each / odds.reduce((a, b) => a + b));
  const labelled = await Promise.all(
    chances.map(async (weight, truth) => {
      const { tensors } = await one.estimate(weights, sampleOf([{ ...item, truth }]), { estimator: "empirical" });
      return { weight, tensors };
    }),
  );
  expectFloats(weightedMean(labelled), exact, 1e-5);
  const grid = 300;
  const draws = Array.from({ length: grid }, (_, i) => ({ ...item, draws: always((i + 0.5) / grid) }));
  const { tensors: sampled } = await one.estimate(weights, sampleOf(draws), { estimator: "sampled" });
  expectFloats(sampled, exact, 3 / grid);
});

test("an estimate of some tensors has those of the whole, and one of none does no work", async () => {
  const { tensors: whole } = await one.estimate(weights, sampleOf(items), {});
  const wanted = new Set(["classifier.weight", "bert.embeddings.word_embeddings.weight", "unknown"]);
  const { tensors } = await one.estimate(weights, sampleOf(items), { tensors: wanted });
  expect(new Set(tensors.keys())).toEqual(wanted.difference(new Set(["unknown"])));
  expectFloats(tensors, new Map([...whole].filter(([name]) => wanted.has(name))), 1e-6);
  const none = await one.estimate(weights, sampleOf(items), { tensors: new Set(["unknown"]) });
  expect(none).toEqual({ items: 3, tensors: new Map() });
});

test("an estimate goes on from what another had summed, with the same bits, and stops when it is told", async () => {
  const whole = await one.estimate(weights, sampleOf(many), {});
  const abort = new AbortController();
  let kept: RunningSum | undefined;
  const stopped = three.estimate(weights, sampleOf(many), {
    signal: abort.signal,
    onRange({ items: done, tensors }) {
      kept = { items: done, tensors: new Map([...tensors].map(([name, values]) => [name, values.slice()])) };
      abort.abort(new Error("enough"));
    },
  });
  await expect(stopped).rejects.toThrow("enough");
  expect(kept!.items).toBeLessThan(many.length);
  const begun: number[] = [];
  const resumed = await one.estimate(weights, sampleOf(many), {
    from: kept!,
    onRange: (sum) => void begun.push(sum.items),
  });
  expect(begun[0]).toBeGreaterThan(kept!.items);
  for (const [name, values] of whole.tensors) expect(resumed.tensors.get(name), name).toEqual(values);
});

test("weights that hold NaN are refused, naming the item", async () => {
  const broken = {
    ...weights.get("classifier.bias")!,
    bytes: new Uint8Array(new Float32Array(3).fill(Number.NaN).buffer),
  };
  const spoilt = { ...weights, get: (name: string) => (name === "classifier.bias" ? broken : weights.get(name)) };
  await expect(one.estimate(spoilt, sampleOf(items), {})).rejects.toThrow("item 0: non-finite log-likelihoods");
});
