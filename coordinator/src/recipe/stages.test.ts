import { expect, test } from "vitest";
import { parseRecipe, parseStages, stageText } from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const parse = (text: string) => parseStages(text, { fileName: "r.yaml" });

const problemsOf = (text: string): string[] => problemsIn(text, "r.yaml");

const linear = (name: string | undefined, ...models: string[]): string =>
  `${name === undefined ? "" : `name: ${name}\n`}merge_method: linear\nmodels: [${models.map((model) => `{model: ${model}}`).join(", ")}]\nparameters: {weight: 1}\n`;

test("stages come in the order in which they can be made, whatever that of the text; the one without a name is the output", () => {
  const text = [linear(undefined, "second", "x"), linear("second", "first+lora", "y"), linear("first", "x", "y")].join(
    "---\n",
  );
  expect(parse(text).map(({ name, uses }) => [name, uses])).toEqual([
    ["first", []],
    ["second", ["first"]],
    [undefined, ["second"]],
  ]);
  expect(parseRecipe(text, { fileName: "r.yaml" }).models.map(({ path }) => path)).toEqual(["second", "x"]);
});

test("where all have names, the output is the one that no other merges", () => {
  expect(parse([linear("b", "a"), linear("a", "x")].join("---\n")).map(({ name }) => name)).toEqual(["a", undefined]);
  expect(parse(linear("only", "x"))).toMatchObject([{ name: undefined, uses: [] }]);
});

test("slices, their bases and modules name stages too", () => {
  const stack = `merge_method: task_arithmetic
modules:
  default:
    slices:
    - base_model: b
      sources: [{model: a, layer_range: [0, 1], parameters: {weight: 1}}, {model: b, layer_range: [0, 1]}]
`;
  const stages = parse([stack, linear("a", "x"), linear("b", "y")].join("---\n"));
  expect(stages.at(-1)?.uses.toSorted()).toEqual(["a", "b"]);
});

test("the text of a stage has what it is made of and nothing else, and reads back", () => {
  const text = [linear("a", "x"), linear("b", "a"), linear("c", "x"), linear(undefined, "b", "c")].join("---\n");
  const stages = parse(text);
  const [, second] = stages;
  expect(parse(stageText(stages, second!)).map(({ recipe }) => recipe.models[0]?.path)).toEqual(["x", "a"]);
  expect(parse(stageText(stages, stages.at(-1)!))).toEqual(stages);
});

test("what keeps stages from being made is told, each with its line", () => {
  expect(problemsOf([linear(undefined, "x"), linear(undefined, "y")].join("---\n"))).toEqual([
    "r.yaml:5: only one stage, the output, may be without `name` (the other on line 1)",
  ]);
  expect(problemsOf([linear("a", "x"), linear("a", "y"), linear(undefined, "a")].join("---\n"))).toEqual([
    "r.yaml:6: two stages are named `a` (the other on line 1)",
  ]);
  expect(problemsOf([linear("a", "x"), linear(undefined, "y")].join("---\n"))).toEqual([
    "r.yaml:1: no stage merges `a`: name it as a model of the output, or remove it",
  ]);
  expect(problemsOf([linear("a", "b"), linear("b", "a"), linear(undefined, "a")].join("---\n"))).toEqual([
    "r.yaml:1: stage `a` is made of itself, by way of `the output`, `a`, `b`",
  ]);
  expect(problemsOf([linear("a/../b", "x"), linear(undefined, "y")].join("---\n"))).toEqual([
    expect.stringMatching(/^r.yaml:1: `name` of a stage must be letters, digits, .* not `a\/..\/b`$/),
  ]);
  expect(problemsOf(`${linear("a", "x")}---\n`)).toEqual([expect.stringContaining("stage 2 is empty")]);
  const twice = [linear("a", "x").replace("weight", "wieght"), linear(undefined, "a").replace("models", "modls")];
  expect(problemsOf(twice.join("---\n")).map((line) => line.slice(0, 9))).toEqual(["r.yaml:4:", "r.yaml:7:"]);
  expect(problemsOf(Array.from({ length: 101 }, (_, i) => linear(`s${i}`, "x")).join("---\n"))[0]).toContain(
    "100 stages",
  );
});
