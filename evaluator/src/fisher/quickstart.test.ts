/** An expert of the quickstart against what PyTorch computes (tests/golden/fisher), and against the file that the example has for merges. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { loadWeightsFromCheckpoint, readModelDirectory } from "../model-directory.ts";
import { createScorer } from "../scorer.ts";
import { toFloat32 } from "../session/float32.ts";
import { parseTasks } from "../tasks/task.ts";
import { readTaskFiles } from "../tasks/task-files.ts";
import { expectSummaries, normOf, type Summary } from "../testing/golden-tensors.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const quickstart = `${root}examples/quickstart`;

type Golden = { readonly items: number } & Readonly<Record<"exact" | "empirical", Readonly<Record<string, Summary>>>>;

const golden: Golden = JSON.parse(await readFile(`${root}tests/golden/fisher/speech.json`, "utf8"));
const { config, tokenizer, weights } = await readModelDirectory(`${quickstart}/expert-speech`);
const files = await readTaskFiles(`${quickstart}/tasks/speech.yaml`);
const firstLines = (bytes: Uint8Array): Uint8Array =>
  Buffer.from(Buffer.from(bytes).toString().split("\n").slice(0, golden.items).join("\n"));
const cut = [...files.files].map(
  ([name, bytes]) => [name, name.includes("validation") ? firstLines(bytes) : bytes] as const,
);
const scorer = await createScorer({
  config,
  tokenizer,
  tasks: parseTasks([{ ...files, files: new Map(cut) }]),
  threads: 2,
});
afterAll(() => scorer[Symbol.asyncDispose]());

test.for(["exact", "empirical"] as const)("%s: the numbers of PyTorch", async (estimator) => {
  const { items, tensors } = await scorer.fisher(weights, "speech", "validation", { items: 100, estimator });
  expect(items).toBe(golden.items);
  expectSummaries(tensors, golden[estimator], 1e-4);
});

test("what was made outside from 512 items of training data, and these few, point the same way", async () => {
  const external = await loadWeightsFromCheckpoint(`${quickstart}/expert-speech/fisher.safetensors`);
  const { tensors } = await scorer.fisher(weights, "speech", "test", { items: 60 });
  for (const [name, values] of tensors) {
    // Few words are in both, and what is added to all keys changes no softmax: its gradient is zero but for rounding.
    if (name.includes("word_embeddings") || name.endsWith("key.bias")) continue;
    const theirs = toFloat32(name, external.get(name)!);
    const dot = values.reduce((sum, value, i) => sum + value * theirs[i]!, 0);
    expect(dot / (normOf(values) * normOf(theirs)), name).toBeGreaterThan(0.5);
  }
});
