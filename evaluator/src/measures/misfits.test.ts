import { expect, test } from "vitest";
import { readModelDirectory } from "../model-directory.ts";
import { createScorer } from "../scorer.ts";
import { parseTasks } from "../tasks/task.ts";
import type { TokenizerFiles } from "../tasks/tokenize.ts";
import { bertConfig, jsonLines, wordPiece } from "../testing/fixtures.ts";
import { goldenTokenizer, tasksDirectory } from "../testing/golden-tasks.ts";
import { normalised } from "./generation.ts";
import { windowsOf } from "./perplexity.ts";

const rows = {
  classification: { text: "x", label: "a" },
  multiple_choice: { context: "x", choices: ["a", "b"], answer: 0 },
  perplexity: { text: "x" },
  generation: { prompt: "x", answer: "y" },
};

async function refusal(
  { config, tokenizer }: { readonly config: unknown; readonly tokenizer: TokenizerFiles },
  kind: keyof typeof rows,
  more = "",
): Promise<string> {
  const yaml = `name: t\nkind: ${kind}\n${more}splits: { test: t.jsonl }\n`;
  const tasks = parseTasks([{ path: "t.yaml", yaml, files: new Map([["t.jsonl", jsonLines(rows[kind])]]) }]);
  try {
    await using _ = await createScorer({ config, tokenizer, tasks, threads: 1 });
    return "fits";
  } catch (error) {
    return (error as Error).message;
  }
}

const encoder = {
  config: bertConfig({ hidden: 8, layers: 1, heads: 2, vocabulary: 5, labels: 2 }),
  tokenizer: wordPiece(["x"]),
};
const golden = async (model: string) => {
  const { config } = await readModelDirectory(`${tasksDirectory}/models/${model}`);
  return { config, tokenizer: goldenTokenizer(model) };
};

test("a task that a model cannot do is refused before any work, with what to do", async () => {
  const [gpt2, t5] = [await golden("gpt2"), await golden("t5")];
  expect(await refusal(gpt2, "classification", "labels: [a, b]\nmax_tokens: 8\n")).toBe(
    "task t: GPT2LMHeadModel has no head that classifies texts: score it by `kind: multiple_choice`, with the labels as choices",
  );
  expect(await refusal(encoder, "multiple_choice")).toBe(
    "task t: multiple_choice needs a causal or sequence-to-sequence language model, which BertForSequenceClassification is not: use `kind: classification`",
  );
  expect(await refusal(encoder, "perplexity")).toMatch(/^task t: perplexity needs a causal language model/);
  expect(await refusal(t5, "perplexity")).toMatch(/causal language model, which T5ForConditionalGeneration is not/);
  expect(await refusal(t5, "multiple_choice")).toBe("fits");
  expect(await refusal(gpt2, "generation")).toBe("fits");
  expect(await refusal(t5, "generation", "max_tokens: 8\nmax_new_tokens: 64\n")).toBe("fits");
});

test("lengths that a model does not have are refused", async () => {
  const gpt2 = await golden("gpt2");
  expect(await refusal(gpt2, "perplexity", "max_tokens: 65\n")).toBe(
    "task t: max_tokens is 65, but the model takes 64 tokens",
  );
  expect(await refusal(gpt2, "perplexity", "max_tokens: 16\nstride: 17\n")).toMatch(
    /stride is 17, and would leave out/,
  );
  expect(await refusal(gpt2, "generation", "max_new_tokens: 64\n")).toMatch(/which leaves no token to the prompt/);
});

test.each([1, 2, 5, 8])(
  "windows have every token once as a target, with all that fits before it (stride %i)",
  (stride) => {
    for (const length of [2, 8, 9, 10, 25]) {
      const tokens = Array.from({ length }, (_, at) => 100 + at);
      const targets = windowsOf(tokens, 1, { size: 8, stride }).flatMap(({ ids, targets: asked }) => {
        expect(ids.length).toBeLessThanOrEqual(8);
        const places = asked!.ids
          .map((id, at) => ({ id, before: ids[at]! }))
          .filter((_, at) => asked!.weights[at] === 1);
        for (const { id, before } of places) expect(id).toBe(before + 1);
        return places.map(({ id }) => id);
      });
      expect(targets).toEqual(tokens.slice(1));
    }
  },
);

test("what a task ignores makes no difference between answers, and blanks around them never do", () => {
  expect(normalised("  The Answer. ", [])).toBe("The Answer.");
  expect(normalised("  The Answer. ", ["case", "punctuation", "articles", "whitespace"])).toBe("answer");
  expect(normalised("theatre\n a  b", ["articles", "whitespace"])).toBe("theatre b");
});
