import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { goldenTokenizer, tasksDirectory } from "../testing/golden-tasks.ts";
import { createTokenizer } from "./tokenize.ts";

interface Expected {
  readonly text: string;
  readonly ids: number[];
  readonly plain: number[];
  readonly decoded: string;
}

const expected = JSON.parse(readFileSync(`${tasksDirectory}/tokenizers.json`, "utf8")) as Record<string, Expected[]>;
const kinds = readdirSync(`${tasksDirectory}/tokenizers`);

test.each(kinds)("%s: texts have the ids that Hugging Face's tokenizers give them", (kind) => {
  const tokenizer = createTokenizer(goldenTokenizer(kind));
  for (const { text, ids, plain } of expected[kind]!) {
    expect(tokenizer.ids(text), JSON.stringify(text)).toEqual(plain);
    expect(tokenizer.encode(text, undefined, 1000).ids, JSON.stringify(text)).toEqual(ids);
  }
});

test.each(kinds.filter((kind) => kind !== "bert"))(
  "%s: what is written is the text that Hugging Face's tokenizers make of its ids",
  (kind) => {
    const tokenizer = createTokenizer(goldenTokenizer(kind));
    for (const { text, plain, decoded } of expected[kind]!) {
      expect(tokenizer.decode(plain), JSON.stringify(text)).toBe(decoded);
    }
  },
);

test("what a text begins with is the post-processor's, and where it has nothing, what the tokenizer's config names", () => {
  const of = (kind: string) => createTokenizer(goldenTokenizer(kind));
  expect(of("llama3")).toMatchObject({ prefix: [0], start: 0, ends: [1] });
  expect(of("llama2")).toMatchObject({ prefix: [1], start: 1, ends: [2] });
  expect(of("gpt2")).toMatchObject({ prefix: [], start: 0, ends: [0] });
  expect(of("t5")).toMatchObject({ prefix: [], start: 1, ends: [1] });
  expect(of("bert")).toMatchObject({ prefix: [2], start: undefined, ends: [] });
  expect(
    createTokenizer({ tokenizerJson: goldenTokenizer("qwen2").tokenizerJson }, { eosTokenIds: [7, 9] }),
  ).toMatchObject({
    start: 7,
    ends: [7, 9],
  });
});
