import { expect, test } from "vitest";
import { parseRecipe } from "./parse.ts";
import { stringifyRecipe } from "./serialize.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const LINEAR = "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\n";
const parse = (text: string) => parseRecipe(LINEAR + text, { fileName: "recipe.yaml" });

const problemsOf = (text: string): string => problemsIn(LINEAR + text, "recipe.yaml").join("\n");

const FULL = `tokenizer:
  source: ./b/
  pad_to_multiple_of: 64
  tokens:
    <|a|>: { source: { kind: model_token, model: ./a, token: x } }
    <|b|>: { source: { kind: model_token, model: { path: a }, token_id: 7 }, force: true }
    <|c|>: { source: { kind: zero } }
    <|d|>: { source: a }
    <|e|>: { source: null }
    7: {}
chat_template: "{{ messages }}"
`;

test("the tokenizer section is mergekit's, in short and in full", () => {
  expect(parse("tokenizer_source: union\n").tokenizer).toEqual({ source: { kind: "union" }, tokens: new Map() });
  expect(parse("tokenizer_source: base\n").tokenizer?.source).toEqual({ kind: "base" });
  expect(parse("tokenizer: {}\n").tokenizer?.source).toEqual({ kind: "union" });
  expect(parse("tokenizer_source: null\ntokenizer: null\nchat_template: null\n").tokenizer).toBeUndefined();
  const { tokenizer, chatTemplate } = parse(FULL);
  expect(chatTemplate).toBe("{{ messages }}");
  expect(tokenizer).toEqual({
    source: { kind: "model", path: "b" },
    padToMultipleOf: 64,
    tokens: new Map([
      ["<|a|>", { source: { kind: "token", model: "a", token: "x" }, force: false }],
      ["<|b|>", { source: { kind: "id", model: "a", id: 7 }, force: true }],
      ["<|c|>", { source: { kind: "zero" }, force: false }],
      ["<|d|>", { source: { kind: "model", model: "a" }, force: false }],
      ["<|e|>", { force: false }],
      ["7", { force: false }],
    ]),
  });
});

test("what is written is read back as the same recipe", () => {
  for (const text of [FULL, "tokenizer_source: union\n", "chat_template: llama3\n"]) {
    const recipe = parse(text);
    const back = parseRecipe(stringifyRecipe(recipe), { fileName: "back.yaml" });
    expect(back).toEqual(recipe);
    expect([...(back.tokenizer?.tokens.keys() ?? [])]).toEqual([...(recipe.tokenizer?.tokens.keys() ?? [])]);
  }
});

test.for<[string, RegExp]>([
  ["tokenizer_source: union\ntokenizer: {}\n", /say the same/],
  ["tokenizer: {sorce: union}\n", /unknown key `sorce`.*`source`/],
  ["tokenizer: {tokens: [a]}\n", /mapping from tokens/],
  ["tokenizer: {tokens: {a: {force: 1}}}\n", /`force` of token `a` must be true or false/],
  ["tokenizer: {tokens: {a: {force: true}}}\n", /`force` of token `a` needs a `source`/],
  ["tokenizer: {tokens: {a: {source: {kind: zeros}}}}\n", /`kind` must be one of.*`zero`/],
  ["tokenizer: {tokens: {a: {source: {kind: zero, model: b}}}}\n", /means nothing for `kind: zero`/],
  ["tokenizer: {tokens: {a: {source: {kind: model_token, model: b}}}}\n", /either `token` or `token_id`/],
  ["tokenizer: {tokens: {a: {source: {kind: model_token, token: b}}}}\n", /needs `model`/],
  ["tokenizer: {pad_to_multiple_of: 0}\n", /at least 1|from 1/],
  ["chat_template: chatlm\n", /`chatml`/],
])("%s is a problem", ([text, message]) => {
  expect(problemsOf(text)).toMatch(message);
});

test("a method that leaves the base as it is has no tokenizer of its own, and no adapter on the base", () => {
  const emr = "merge_method: emr\nbase_model: base+lora\nmodels: [{model: a}, {model: b}]\ntokenizer_source: union\n";
  try {
    parseRecipe(emr, { fileName: "recipe.yaml" });
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message.split("\n")).toEqual([
      expect.stringContaining("`emr` needs a base without an adapter"),
      expect.stringContaining("`tokenizer_source` does not go with `emr`"),
    ]);
  }
});
