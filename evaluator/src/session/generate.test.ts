import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { buildModel } from "../graph/families/index.ts";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { uniform } from "../testing/fixtures.ts";
import { readGoldenModel } from "../testing/golden-models.ts";
import { generateGreedy, openGenerator } from "./generate.ts";
import { createSession } from "./session.ts";

interface Golden {
  readonly prompts: number[][];
  readonly ends: number[];
  readonly new_tokens: number;
  /** With the token that ended it. */
  readonly generated: number[][];
  readonly generated_without_ends: number[][];
}

const names = ["gpt2", "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2", "t5", "t5-v1.1"];

test.each(names)("%s writes what transformers generates, token for token", async (name) => {
  const { directory, config } = await readGoldenModel(name);
  const golden = JSON.parse(await readFile(`${directory}/generated.json`, "utf8")) as Golden;
  const weights = await loadWeightsFromCheckpoint(directory);
  const stored = new Set(weights.names());
  const built = (cached: boolean) => buildModel(config, (tensor) => stored.has(tensor), { cached });
  await using session = createSession({ weights: built(false).graph.weights, threads: 2 });
  using model = await session.load(weights);
  const { prompts, ends, new_tokens: maxNewTokens } = golden;
  const withoutEnd = golden.generated.map((tokens) => (ends.includes(tokens.at(-1)!) ? tokens.slice(0, -1) : tokens));
  for (const cached of [true, false]) {
    using generator = await openGenerator(session, built(cached));
    const generate = (endTokens: number[], texts = prompts) =>
      generateGreedy(session, model, generator, texts, { maxNewTokens, endTokens });
    expect(await generate([])).toEqual(golden.generated_without_ends);
    expect(await generate(ends)).toEqual(withoutEnd);
    for (const [i, prompt] of prompts.entries()) expect(await generate(ends, [prompt])).toEqual([withoutEnd[i]]);
  }
});

test.each(["qwen2", "t5"])(
  "%s: prompts of any lengths are written in batches as they are alone, and end by what the caller sees in them",
  async (name) => {
    const { directory, config } = await readGoldenModel(name);
    const weights = await loadWeightsFromCheckpoint(directory);
    const stored = new Set(weights.names());
    const built = buildModel(config, (tensor) => stored.has(tensor), { cached: true });
    await using session = createSession({ weights: built.graph.weights, threads: 2 });
    using model = await session.load(weights);
    using generator = await openGenerator(session, built);
    const random = uniform(5);
    const prompts = Array.from({ length: 50 }, (_, i) =>
      Array.from({ length: 1 + (i % 23) }, () => Math.floor(random() * built.vocabularySize!)),
    );
    const [end, last] = name === "t5" ? [0, 19] : [44, 5];
    const options = { maxNewTokens: 9, endTokens: [end], ends: (tokens: readonly number[]) => tokens.includes(last) };
    const together = await generateGreedy(session, model, generator, prompts, options);
    const alone = await Promise.all(
      prompts.map(async (prompt) => (await generateGreedy(session, model, generator, [prompt], options))[0]),
    );
    expect(together).toEqual(alone);
    const lengths = new Set(together.map((tokens) => tokens.length));
    expect(lengths.size).toBeGreaterThan(3);
    expect(together.some((tokens) => tokens.length < 9 && tokens.at(-1) === last)).toBe(true);
    expect(together.flat()).not.toContain(end);
  },
);

test("prompts that cannot be continued are all named at once, and an abort ends the writing", async () => {
  const { directory, config } = await readGoldenModel("llama");
  const built = buildModel(config, undefined, { cached: true });
  await using session = createSession({ weights: built.graph.weights, threads: 1 });
  using model = await session.load(await loadWeightsFromCheckpoint(directory));
  using generator = await openGenerator(session, built);
  const options = { maxNewTokens: 60, endTokens: [] };
  const bad = generateGreedy(session, model, generator, [[1], [], [1, 2, 3, 4, 5]], options);
  await expect(bad).rejects.toMatchObject({
    problems: [
      "prompt 2: has no token to begin with",
      "prompt 3: 5 tokens and 60 new ones are more than the 64 that the model takes (shorten it, or ask for fewer)",
    ],
  });
  const aborted = new AbortController();
  const ends = (tokens: readonly number[]): boolean => {
    if (tokens.length === 5) aborted.abort(new Error("enough"));
    return false;
  };
  const { signal } = aborted;
  await expect(generateGreedy(session, model, generator, [[1]], { ...options, ends, signal })).rejects.toThrow(
    "enough",
  );
});

test("a model that is no language model writes no text, and logits that are no numbers are refused", async () => {
  const classifier = buildModel((await readGoldenModel("llama-classifier")).config);
  await using empty = createSession({ weights: classifier.graph.weights, threads: 1 });
  await expect(openGenerator(empty, classifier)).rejects.toThrow("LlamaForSequenceClassification writes no text");

  const { directory, config } = await readGoldenModel("llama");
  const built = buildModel(config, undefined, { cached: true });
  await using session = createSession({ weights: built.graph.weights, threads: 1 });
  const weights = await loadWeightsFromCheckpoint(directory);
  const norm = weights.get("model.norm.weight")!;
  const spoilt = { ...norm, bytes: new Uint8Array(norm.bytes.length).fill(255) };
  const get = (name: string) => (name === "model.norm.weight" ? spoilt : weights.get(name));
  using model = await session.load({ get, names: () => weights.names() });
  using generator = await openGenerator(session, built);
  const generated = generateGreedy(session, model, generator, [[1]], { maxNewTokens: 2, endTokens: [] });
  await expect(generated).rejects.toThrow("the model's logits are not finite");
});
