import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readModelDirectory } from "../model-directory.ts";
import { createScorer, type TaskScore } from "../scorer.ts";
import { parseTasks } from "../tasks/task.ts";
import { jsonLines } from "../testing/fixtures.ts";
import { goldenTokenizer, tasksDirectory } from "../testing/golden-tasks.ts";

interface LogLikelihood {
  readonly sum: number;
  readonly tokens: number;
}
interface OfModel {
  readonly choices: readonly (readonly LogLikelihood[])[];
  readonly perplexity: Readonly<Record<string, readonly LogLikelihood[]>>;
  readonly generated: readonly string[];
}
interface Expected extends Readonly<Record<"gpt2" | "llama3" | "t5", OfModel>> {
  readonly items: readonly { readonly context: string; readonly choices: string[]; readonly answer: number }[];
  readonly perplexity_texts: readonly string[];
  readonly window: number;
  readonly prompts: readonly string[];
}

const expected = JSON.parse(readFileSync(`${tasksDirectory}/expected.json`, "utf8")) as Expected;

async function scoreOf(
  model: "gpt2" | "llama3" | "t5",
  header: string,
  rows: readonly unknown[],
  {
    threads = 1,
    part,
  }: { readonly threads?: number; readonly part?: { pieces: number; first: number; end: number } } = {},
): Promise<TaskScore> {
  const { config, weights } = await readModelDirectory(`${tasksDirectory}/models/${model}`);
  const yaml = `name: t\n${header}splits: { test: t.jsonl }\n`;
  const tasks = parseTasks([{ path: "t.yaml", yaml, files: new Map([["t.jsonl", jsonLines(...rows)]]) }]);
  const stored = new Set(weights.names());
  const has = (tensor: string): boolean => stored.has(tensor);
  await using scorer = await createScorer({ config, stored: has, tokenizer: goldenTokenizer(model), tasks, threads });
  return await scorer.score(weights, "t", "test", part === undefined ? {} : { part });
}

const highest = (values: readonly number[]): number => values.indexOf(Math.max(...values));
const crossEntropy = (values: readonly number[], label: number): number =>
  Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0)) - values[label]!;

test.each(["gpt2", "llama3", "t5"] as const)(
  "%s: choices have transformers' log-likelihoods, for each token and as sums",
  async (model) => {
    for (const normalize of ["length", "none"]) {
      const score = await scoreOf(model, `kind: multiple_choice\nnormalize: ${normalize}\n`, expected.items);
      const rows = expected[model].choices.map((row) =>
        row.map(({ sum, tokens }) => (normalize === "length" ? sum / tokens : sum)),
      );
      const right = rows.map((row, item) => (highest(row) === expected.items[item]!.answer ? 1 : 0));
      expect([...score.perItem!]).toEqual(right);
      const losses = rows.map((row, item) => crossEntropy(row, expected.items[item]!.answer));
      expect(score.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 4);
      expect(score).toMatchObject({ metric: "accuracy", items: rows.length });
    }
  },
);

test.each(["gpt2", "llama3"] as const)("%s: a perplexity is transformers', whatever the stride", async (model) => {
  for (const [stride, texts] of Object.entries(expected[model].perplexity)) {
    const header = `kind: perplexity\nmax_tokens: ${expected.window}\nstride: ${stride}\n`;
    const score = await scoreOf(
      model,
      header,
      expected.perplexity_texts.map((text) => ({ text })),
    );
    const total = texts.reduce((sum, each) => sum + each.sum, 0);
    const tokens = texts.reduce((sum, each) => sum + each.tokens, 0);
    expect(score.score).toBeCloseTo(total / tokens, 4);
    expect(score).toMatchObject({ metric: "perplexity", items: texts.length, loss: -score.score });
    for (const [item, { sum }] of texts.entries()) {
      expect(score.perItem![item]! * (tokens / texts.length)).toBeCloseTo(sum, 2);
    }
  }
});

test.each(["gpt2", "llama3", "t5"] as const)(
  "%s: what is written greedily is what transformers writes",
  async (model) => {
    const rows = expected.prompts.map((prompt, item) => ({ prompt, answer: expected[model].generated[item] }));
    const right = await scoreOf(model, "kind: generation\nmax_new_tokens: 8\nstop: []\n", rows);
    expect(right).toMatchObject({ metric: "exact_match", score: 1, items: rows.length });
    const wrong = await scoreOf(model, "kind: generation\nmax_new_tokens: 7\nstop: []\n", rows);
    expect(wrong.score).toBe(0);
  },
);

test("what follows a stop is not part of the answer, and one of several answers is enough", async () => {
  const written = expected.gpt2.generated[0]!;
  const stop = [...written.trim()].at(-1)!;
  const answer = written.slice(0, written.indexOf(stop));
  const rows = [{ prompt: expected.prompts[0], answer: ["something else", answer] }];
  const header = `kind: generation\nmax_new_tokens: 8\nstop: [${JSON.stringify(stop)}]\n`;
  expect((await scoreOf("gpt2", header, rows)).score).toBe(1);
});

test("weights that give no finite log-likelihoods are an error that names the item", async () => {
  const { config, weights } = await readModelDirectory(`${tasksDirectory}/models/gpt2`);
  const broken = {
    names: () => weights.names(),
    get(name: string) {
      const tensor = weights.get(name);
      if (tensor === undefined || !name.endsWith("ln_f.weight")) return tensor;
      return { ...tensor, bytes: new Uint8Array(new Float32Array(16).fill(Number.NaN).buffer) };
    },
  };
  const yaml = (kind: string): string => `name: ${kind}\nkind: ${kind}\nsplits: { test: ${kind}.jsonl }\n`;
  const rows = {
    multiple_choice: expected.items[0],
    perplexity: { text: "x y" },
    generation: { prompt: "x", answer: "y" },
  };
  const tasks = parseTasks(
    Object.entries(rows).map(([kind, row]) => {
      return { path: kind, yaml: yaml(kind), files: new Map([[`${kind}.jsonl`, jsonLines(row)]]) };
    }),
  );
  await using scorer = await createScorer({ config, tokenizer: goldenTokenizer("gpt2"), tasks, threads: 1 });
  await expect(scorer.score(broken, "multiple_choice", "test")).rejects.toThrow(
    /^multiple_choice.jsonl:1: non-finite log-likelihoods/,
  );
  await expect(scorer.score(broken, "perplexity", "test")).rejects.toThrow(/^perplexity.jsonl:1: non-finite/);
  await expect(scorer.score(broken, "generation", "test")).rejects.toThrow(/not finite/);
});

test("threads and parts do not change what items bring", async () => {
  const header = "kind: multiple_choice\n";
  const whole = await scoreOf("gpt2", header, expected.items);
  expect(await scoreOf("gpt2", header, expected.items, { threads: 2 })).toEqual(whole);
  const texts = expected.perplexity_texts.map((text) => ({ text }));
  const perplexity = await scoreOf("gpt2", "kind: perplexity\n", texts);
  const parts = await Promise.all(
    [0, 1, 2].map((first) =>
      scoreOf("gpt2", "kind: perplexity\n", texts, { part: { pieces: 3, first, end: first + 1 } }),
    ),
  );
  // Other batches, so the last bits may differ.
  const rounded = (values: Iterable<number>): string[] => [...values].map((value) => value.toFixed(4)).toSorted();
  expect(rounded(parts.flatMap(({ perItem }) => [...perItem!]))).toEqual(rounded(perplexity.perItem!));
  const mean = parts.reduce((sum, { score, items }) => sum + score * items, 0) / texts.length;
  expect(mean).toBeCloseTo(perplexity.score, 5);
});
