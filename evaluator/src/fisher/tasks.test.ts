/** Fisher information of tasks as people write them: what an estimate differentiates is what the score measures. */

import { afterAll, expect, test } from "vitest";
import { readModelDirectory } from "../model-directory.ts";
import { createScorer } from "../scorer.ts";
import { toFloat32 } from "../session/float32.ts";
import { parseTasks } from "../tasks/task.ts";
import { jsonLines } from "../testing/fixtures.ts";
import { goldenTokenizer, tasksDirectory } from "../testing/golden-tasks.ts";
import { expectFloats } from "../testing/golden-tensors.ts";
import type { Weights } from "../weights.ts";

const { config, weights } = await readModelDirectory(`${tasksDirectory}/models/gpt2`);
const stored = new Set(weights.names());
const right = { context: "The cat sat on the", choices: [" mat", " dog and the cat"], answer: 1 };
const source = (name: string, header: string, rows: readonly unknown[]) => ({
  path: `${name}.yaml`,
  yaml: `name: ${name}\n${header}\nsplits: { test: data.jsonl }\n`,
  files: new Map([["data.jsonl", jsonLines(...rows)]]),
});
const tasks = parseTasks([
  source("text", "kind: perplexity", [{ text: "The dog sat on the mat and the cat." }]),
  source("choice", "kind: multiple_choice", [right]),
  source("answer", 'kind: generation\nprompt: "{{context}}"', [{ context: right.context, answer: right.choices[1] }]),
]);
const scorer = await createScorer({
  ...{ config, tasks, threads: 1 },
  stored: (tensor) => stored.has(tensor),
  tokenizer: goldenTokenizer("gpt2"),
});
afterAll(() => scorer[Symbol.asyncDispose]());

function moved(tensor: string, element: number, distance: number): Weights {
  const { shape, ...given } = weights.get(tensor)!;
  const values = toFloat32(tensor, { shape, ...given });
  values[element]! += distance;
  const changed = { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
  return { names: () => weights.names(), get: (name) => (name === tensor ? changed : weights.get(name)) };
}

test("of one text, it is the squared derivative of the score", async () => {
  const { items, tensors } = await scorer.fisher(weights, "text", "test", { estimator: "empirical" });
  expect(items).toBe(1);
  expect(new Set(tensors.keys())).toEqual(stored);
  const step = 1e-2;
  for (const [name, values] of tensors) {
    const element = values.indexOf(Math.max(...values));
    const at = async (distance: number): Promise<number> =>
      (await scorer.score(moved(name, element, distance), "text", "test")).score;
    const derivative = ((await at(step)) - (await at(-step))) / (2 * step);
    // Where a derivative is as small as the rounding of two scores, nothing can be told.
    if (values[element]! > 1e-5) expect(derivative ** 2 / values[element]!, name).toBeCloseTo(1, 1);
  }
});

test("an answer that is written has that of the choice with the same words", async () => {
  const empirical = { estimator: "empirical" } as const;
  const { tensors: written } = await scorer.fisher(weights, "answer", "test", empirical);
  const { tensors: chosen } = await scorer.fisher(weights, "choice", "test", empirical);
  expectFloats(written, chosen, 1e-5);
});

test("texts are drawn where no estimator is named, by the seed; choices are gone through", async () => {
  const draw = async (seed: number) => (await scorer.fisher(weights, "text", "test", { seed })).tensors;
  const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  const { tensors: sampled } = await scorer.fisher(weights, "text", "test", { seed: 1, estimator: "sampled" });
  expect(sampled).toEqual(first);
  const { tensors: choices } = await scorer.fisher(weights, "choice", "test");
  const { tensors: exact } = await scorer.fisher(weights, "choice", "test", { estimator: "exact" });
  expect(choices).toEqual(exact);
});
