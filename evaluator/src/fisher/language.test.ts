/** Fisher information of language models: choices as DF-Merge has them, next tokens, against PyTorch and against enumeration. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { buildModel } from "../graph/families/index.ts";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import type { Encoding } from "../session/batches.ts";
import { ResidentModels } from "../session/resident-models.ts";
import { createSession } from "../session/session.ts";
import {
  expectFloats,
  expectSummaries,
  type FloatTensors,
  readFloats,
  type Summary,
} from "../testing/golden-tensors.ts";
import type { FisherItem, FisherSample } from "./answer-chooser.ts";
import { type EstimateOptions, FisherEstimator } from "./estimate.ts";

const golden = fileURLToPath(new URL("../../../tests/golden", import.meta.url));
const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(`${golden}/${file}`, "utf8")) as T;

async function estimate(family: string, sample: FisherSample, options: EstimateOptions): Promise<FloatTensors> {
  const directory = `${golden}/transformers/${family}`;
  const weights = await loadWeightsFromCheckpoint(directory);
  const config = await read<unknown>(`transformers/${family}/config.json`);
  const build = () => buildModel(config);
  await using session = createSession({ weights: build().graph.weights, threads: 1 });
  const limits = { items: 32, tokens: 4096 };
  const estimator = new FisherEstimator(session, new ResidentModels(session, 1), build, 1, limits);
  return (await estimator.estimate(weights, sample, options)).tensors;
}

const sampleOf = (openEnded: boolean, items: readonly Omit<FisherItem, "place">[]): FisherSample => ({
  ...{ task: "golden", openEnded, head: { kind: "tokens" } },
  items: items.map((item, i) => ({ ...item, place: `item ${i}` })),
});
const undrawn = (count: number): Float32Array => new Float32Array(count);
const plain = (ids: readonly number[]) => ({ ids, types: ids.map(() => 0) });

/** The mean log-likelihood of tokens after a prompt. */
const causal = (prompt: readonly number[], tokens: readonly number[]): Encoding => {
  const whole = [...prompt, ...tokens];
  const weights = whole.slice(1).map((_, at) => (at >= prompt.length - 1 ? 1 / tokens.length : 0));
  return { ...plain(whole.slice(0, -1)), targets: { ids: whole.slice(1), weights } };
};
const sequence = (prompt: readonly number[], tokens: readonly number[]): Encoding => ({
  ...plain(prompt),
  targets: { ids: tokens, weights: tokens.map(() => 1 / tokens.length), decoderIds: [0, ...tokens.slice(0, -1)] },
});

interface Choices {
  readonly items: readonly { readonly prompt: number[]; readonly choices: number[][] }[];
  readonly gpt2: Readonly<Record<string, Summary>>;
  readonly t5: Readonly<Record<string, Summary>>;
}

test.for([
  ["gpt2", causal],
  ["t5", sequence],
] as const)("%s: the expectation over choices of different lengths is PyTorch's", async ([family, encode]) => {
  const choices = await read<Choices>("fisher/choices.json");
  const items = choices.items.map(({ prompt, choices: all }) => {
    return { truth: 0, draws: undrawn, texts: all.map((tokens) => encode(prompt, tokens)) };
  });
  expectSummaries(await estimate(family, sampleOf(false, items), {}), choices[family], 1e-4);
});

interface Expected {
  readonly inputs: { readonly input_ids: number[][] };
}

test.for(["gpt2", "llama"])("%s: the mean squared gradient of texts is PyTorch's", async (family) => {
  const { inputs } = await read<Expected>(`transformers/${family}/expected.json`);
  const items = inputs.input_ids.map(([first, ...tokens]) => {
    return { truth: 0, draws: undrawn, texts: [causal([first!], tokens)] };
  });
  const tensors = await estimate(family, sampleOf(true, items), { estimator: "empirical" });
  expectFloats(
    tensors,
    await readFloats(`${golden}/transformers/${family}/expected_mean_squared_gradient.safetensors`),
    1e-4,
  );
});

test("sampled next tokens have the expectation over the whole vocabulary", async () => {
  const prompt = [16, 77, 25];
  const vocabulary = Array.from({ length: 120 }, (_, token) => causal(prompt, [token]));
  const exact = await estimate("gpt2", sampleOf(false, [{ truth: 0, draws: undrawn, texts: vocabulary }]), {});
  const grid = 1200;
  const items = Array.from({ length: grid }, (_, i) => {
    return {
      truth: 0,
      draws: (count: number) => new Float32Array(count).fill((i + 0.5) / grid),
      texts: [causal(prompt, [0])],
    };
  });
  // Each token is drawn as often as its chance says to one in the grid.
  expectFloats(await estimate("gpt2", sampleOf(true, items), {}), exact, 0.02);
});

test("an exact expectation over all texts is refused", async () => {
  const items = [{ truth: 0, draws: undrawn, texts: [causal([1], [2])] }];
  await expect(estimate("gpt2", sampleOf(true, items), { estimator: "exact" })).rejects.toThrow(
    'task golden: its answers are all texts, and no expectation over them can be exact: estimate by "sampled" or "empirical"',
  );
});
