import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { generateGreedy, openGenerator } from "./generate.ts";
import { buildModel } from "./graph/families/index.ts";
import { loadWeightsFromCheckpoint } from "./model-directory.ts";
import { createSession } from "./session.ts";
import { readGoldenModel } from "./testing/golden-models.ts";

interface Golden {
  readonly prompts: number[][];
  readonly ends: number[];
  readonly new_tokens: number;
  /** With the token that ended it. */
  readonly generated: number[][];
  readonly generated_without_ends: number[][];
}

const names = ["gpt2", "llama", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];

test.each(names)("%s writes what transformers generates, token for token", async (name) => {
  const { directory, config } = await readGoldenModel(name);
  const golden = JSON.parse(await readFile(`${directory}/generated.json`, "utf8")) as Golden;
  const built = (cached: boolean) => buildModel(config, undefined, { cached });
  await using session = createSession({ weights: built(false).graph.weights, threads: 2 });
  using model = await session.load(await loadWeightsFromCheckpoint(directory));
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
