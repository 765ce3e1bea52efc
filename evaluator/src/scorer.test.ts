import { expect, test } from "vitest";
import { scoreClassification } from "./score.ts";
import { createScorer, type ScorerOptions } from "./scorer.ts";
import { itemsOfPart } from "./tasks/pieces.ts";
import { parseTasks } from "./tasks/task.ts";
import { asWeights, bertConfig, jsonLines, randomWeights, uniform, wordPiece } from "./testing/fixtures.ts";
import type { Weights } from "./weights.ts";

const words = ["red", "green", "blue", "dark", "light", "and"];
const config = bertConfig({ hidden: 16, layers: 2, heads: 2, vocabulary: 4 + words.length, labels: 5 });
const tensors = randomWeights(config, 4);
const labels = ["warm", "cold", "grey"];
const random = uniform(9);
const rows = Array.from({ length: 300 }, () => ({
  text: Array.from({ length: 1 + Math.floor(random() * 12) }, () => words[Math.floor(random() * words.length)]!).join(
    " ",
  ),
  label: labels[Math.floor(random() * labels.length)]!,
}));
const yaml =
  "name: colour\nkind: classification\nlabels: [warm, cold, grey]\nlabel_offset: 1\nmax_tokens: 10\nsplits: {test: t.jsonl}\n";

function optionsOf(changes: Partial<ScorerOptions> = {}, source: string = yaml): ScorerOptions {
  const tasks = parseTasks([{ path: "colour.yaml", yaml: source, files: new Map([["t.jsonl", jsonLines(...rows)]]) }]);
  return { config, tokenizer: wordPiece(words), tasks, threads: 1, ...changes };
}

/** Weights that count how often each tensor is read. */
function counted(source = tensors): Weights & { reads: number } {
  const weights = {
    reads: 0,
    ...asWeights(source),
    get(name: string) {
      weights.reads++;
      return source.get(name);
    },
  };
  return weights;
}

test("a score is that of the logits, item by item in the order of the file", async () => {
  await using scorer = await createScorer(optionsOf());
  const score = await scorer.score(asWeights(tensors), "colour", "test");
  const short = rows.map(({ text }) => text.split(" ").slice(0, 8).join(" "));
  const logits = await scorer.logits(asWeights(tensors), short);
  const labelled = logits.map((row, i) => ({ logits: row, label: labels.indexOf(rows[i]!.label) }));
  const expected = scoreClassification(labelled, { offset: 1, labels: 3 }, String);
  expect(score).toMatchObject({ task: "colour", split: "test", items: 300, score: expected.score });
  expect(score.perItem).toEqual(expected.perItem);
  expect(score.loss).toBeCloseTo(expected.loss, 5);
});

test("scores are the same with other threads, after other scores and asked for at the same time", async () => {
  await using one = await createScorer(optionsOf());
  await using two = await createScorer(optionsOf({ threads: 2, residentModels: 1 }));
  const expected = await one.score(asWeights(tensors), "colour", "test");
  const other = asWeights(randomWeights(config, 5));
  const scores = await Promise.all(
    [asWeights(tensors), other, asWeights(tensors), other, asWeights(tensors)].map((weights) =>
      two.score(weights, "colour", "test"),
    ),
  );
  expect([scores[0], scores[2], scores[4]]).toEqual([expected, expected, expected]);
  expect(scores[1]).toEqual(scores[3]);
  expect(scores[1]!.loss).not.toBe(expected.loss);
});

test("weights are converted once while they are resident, and at most so many stay", async () => {
  await using scorer = await createScorer(optionsOf({ residentModels: 2 }));
  const all = [counted(), counted(), counted()];
  for (const weights of [all[0]!, all[1]!, all[0]!, all[2]!, all[0]!]) await scorer.score(weights, "colour", "test");
  expect(all.map(({ reads }) => reads / tensors.size)).toEqual([1, 1, 1]);
  expect(scorer.heldBytes).toBe(2 * scorer.weightsBytes);
  await scorer.score(all[1]!, "colour", "test");
  expect(all[1]!.reads / tensors.size).toBe(2);
});

test("tensors of unchanged digest are converted once for all candidates", async () => {
  const digests = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, digest: name }]));
  await using scorer = await createScorer(optionsOf({ residentModels: 1 }));
  const first = await scorer.score(asWeights(digests), "colour", "test");
  const emptied = new Map([...digests].map(([name, tensor]) => [name, { ...tensor, bytes: new Uint8Array(0) }]));
  expect(await scorer.score(asWeights(emptied), "colour", "test")).toEqual(first);
});

test("non-finite weights are an error that names the item, and the next candidate is scored", async () => {
  await using scorer = await createScorer(optionsOf());
  const broken = new Map(tensors);
  const bias = tensors.get("bert.pooler.dense.bias")!;
  broken.set("bert.pooler.dense.bias", {
    ...bias,
    bytes: new Uint8Array(new Float32Array(16).fill(Number.NaN).buffer),
  });
  await expect(scorer.score(asWeights(broken), "colour", "test")).rejects.toThrow(/^t.jsonl:1: non-finite logits/);
  expect((await scorer.score(asWeights(tensors), "colour", "test")).items).toBe(300);
});

test("weights that do not fit fail each time they are asked for, and are not kept", async () => {
  await using scorer = await createScorer(optionsOf());
  const missing = new Map(tensors);
  missing.delete("classifier.bias");
  const weights = asWeights(missing);
  await expect(scorer.score(weights, "colour", "test")).rejects.toThrow("tensor classifier.bias: missing");
  missing.set("classifier.bias", tensors.get("classifier.bias")!);
  expect((await scorer.score(weights, "colour", "test")).items).toBe(300);
});

test("an abort rejects with the signal's reason", async () => {
  await using scorer = await createScorer(optionsOf());
  const signal = AbortSignal.abort(new Error("stop now"));
  await expect(scorer.score(asWeights(tensors), "colour", "test", { signal })).rejects.toThrow("stop now");
});

test("an unknown task or split is refused with those that exist", async () => {
  await using scorer = await createScorer(optionsOf());
  await expect(scorer.score(asWeights(tensors), "color", "test")).rejects.toThrow('no task is named "color" (colour)');
  await expect(scorer.score(asWeights(tensors), "colour", "dev")).rejects.toThrow('no split is named "dev" (test)');
});

test("a task that asks more than the model has is refused with every reason", async () => {
  const greedy = yaml.replace("label_offset: 1", "label_offset: 3").replace("max_tokens: 10", "max_tokens: 65");
  await expect(createScorer(optionsOf({}, greedy))).rejects.toMatchObject({
    problems: [
      "task colour: its labels are logits 3 to 5, but config.json's id2label has 5",
      "task colour: max_tokens is 65, but config.json's max_position_embeddings is 64",
    ],
  });
});

test("a tokenizer of another model is refused at the first text it numbers too high", async () => {
  const options = optionsOf({ tokenizer: wordPiece([...new Array(20).keys().map((i) => `w${i}`), ...words]) });
  await using scorer = await createScorer(options);
  await expect(scorer.score(asWeights(tensors), "colour", "test")).rejects.toThrow(
    /^t.jsonl:1: tokenizer.json gives id \d+, but config.json's vocab_size is 10$/,
  );
});

test("the parts of a split have its items between them, each with the result it has in the whole", async () => {
  await using scorer = await createScorer(optionsOf());
  const whole = await scorer.score(asWeights(tensors), "colour", "test");
  const parts = [0, 1, 2].map((first) => ({ pieces: 3, first, end: first + 1 }));
  const scores = await Promise.all(parts.map((part) => scorer.score(asWeights(tensors), "colour", "test", { part })));
  expect(scores.map(({ items }) => items)).toEqual([100, 100, 100]);
  for (const [index, part] of parts.entries()) {
    const expected = itemsOfPart(300, part).map((item) => whole.perItem![item]);
    expect([...scores[index]!.perItem!]).toEqual(expected);
  }
  const nothing = await scorer.score(asWeights(tensors), "colour", "test", {
    part: { pieces: 10_000, first: 1, end: 2 },
  });
  expect(nothing).toMatchObject({ items: 0, score: 0 });
});
