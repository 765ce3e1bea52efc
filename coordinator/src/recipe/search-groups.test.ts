import { expect, test } from "vitest";
import { parseRecipe, type Recipe, searchDimensions, stringifyRecipe, withCoefficients } from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const HEAD = `merge_method: task_arithmetic
base_model: base
models:
- {model: x/a}
- {model: x/b}
evaluate: {tasks: [t.yaml]}
`;

const withSearch = (body: string): string => `${HEAD}search: ${body}\n`;
const parse = (text: string): Recipe => parseRecipe(text, { fileName: "r.yaml" });
const namesOf = (coefficients: string): string[] =>
  searchDimensions(parse(withSearch(`{coefficients: ${coefficients}}`))).map(({ name }) => name);
const problemsOf = (coefficients: string): string[] =>
  problemsIn(withSearch(`{coefficients: ${coefficients}}`), "r.yaml");

test("a number of groups gives each model one coefficient for each share of the layers", () => {
  expect(namesOf("{weight: {layers: 2}}")).toEqual([
    "weight[a][layers 1/2]",
    "weight[a][layers 2/2]",
    "weight[b][layers 1/2]",
    "weight[b][layers 2/2]",
  ]);
});

test("ranges of layers, kinds of tensors and both give coefficients named after them, for the whole merge as for each model", () => {
  expect(namesOf("{weight: {per: recipe, layers: [[0, 1], [1, 4]]}}")).toEqual([
    "weight[layer 0]",
    "weight[layers 1-3]",
  ]);
  expect(
    namesOf("{weight: {per: recipe}, lambda: {low: 0, high: 1, tensors: {attention: self_attn, mlp: mlp}}}"),
  ).toEqual(["weight", "lambda[attention]", "lambda[mlp]", "lambda[rest]"]);
  expect(namesOf('{weight: {per: recipe, layers: 2, outside: own, tensors: {mlp: mlp, others: "*"}}}')).toEqual([
    "weight[outside]",
    "weight[layers 1/2][mlp]",
    "weight[layers 1/2][others]",
    "weight[layers 2/2][mlp]",
    "weight[layers 2/2][others]",
  ]);
});

test("what is found becomes conditional settings, which a recipe's text says", () => {
  const recipe = parse(
    withSearch("{coefficients: {weight: {layers: 2, outside: own}, lambda: {low: 0, high: 1, tensors: {mlp: mlp}}}}"),
  );
  const values = Object.fromEntries(searchDimensions(recipe).map(({ name }, index) => [name, index / 10]));
  const found = withCoefficients(recipe, values);
  const layers = (part: number) => ({ kind: "share", part, of: 2 });
  expect(found.models.map(({ parameters }) => parameters["weight"])).toEqual([
    [
      { layers: { kind: "outside" }, value: 0 },
      { layers: layers(1), value: 0.1 },
      { layers: layers(2), value: 0.2 },
    ],
    [
      { layers: { kind: "outside" }, value: 0.3 },
      { layers: layers(1), value: 0.4 },
      { layers: layers(2), value: 0.5 },
    ],
  ]);
  expect(found.parameters["lambda"]).toEqual([{ filter: "mlp", value: 0.6 }, { value: 0.7 }]);
  expect(stringifyRecipe(found)).toContain("- layers: 2/2\n          value: 0.2\n");
  expect(parse(stringifyRecipe(found))).toEqual(found);
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
});

test("a condition on layers may be written by hand, beside a filter", () => {
  const conditions = "[{layers: [0, 2], filter: mlp, value: 1}, {layers: 3/3, value: [0, 1]}, {layers: ~, value: 0.5}]";
  const recipe = parse(
    HEAD.replace("x/b}", `x/b, parameters: {weight: ${conditions}}}`).replace("x/a}", "x/a, parameters: {weight: 1}}"),
  );
  expect(recipe.models[1]?.parameters["weight"]).toEqual([
    { filter: "mlp", layers: { kind: "range", first: 0, end: 2 }, value: 1 },
    { layers: { kind: "share", part: 3, of: 3 }, value: [0, 1] },
    { value: 0.5 },
  ]);
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
});

test("a point to start from may name all groups of a model at once, and single ones besides", () => {
  const start = (points: string): string =>
    withSearch(`{coefficients: {weight: {layers: 2, high: 2}}, start: ${points}}`);
  const recipe = parse(start('[{weight: 0.3}, {a: 0.1, b: 0.2, "weight[b][layers 2/2]": 2}]'));
  const point = (...values: number[]) =>
    Object.fromEntries(searchDimensions(recipe).map(({ name }, index) => [name, values[index]]));
  expect(recipe.search?.start).toEqual([point(0.3, 0.3, 0.3, 0.3), point(0.1, 0.1, 0.2, 2)]);
  expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
  expect(problemsIn(start("[{weight: 3}]"), "r.yaml")).toEqual(["r.yaml:7: `weight` must be from 0 to 2, not 3"]);
  expect(problemsIn(start("[{a: 0.3}]"), "r.yaml")).toEqual([
    "r.yaml:7: a point of `start` needs every coefficient: add `weight[b][layers 1/2]`, `weight[b][layers 2/2]`",
  ]);
});

test.each([
  ["{weight: {layers: 1}}", "`layers` of the coefficient `weight`, a number of groups, must be from 2 to 1000, not 1"],
  [
    "{weight: {layers: many}}",
    '`layers` of the coefficient `weight`, a number of groups, must be a number, not "many"',
  ],
  ["{weight: {layers: []}}", "`layers` of the coefficient `weight` is empty: name at least one range of layers"],
  [
    "{weight: {layers: [[1, 2]]}}",
    "`layers` of the coefficient `weight`: [1, 2] should begin at 0: ranges follow one another, and the first begins at layer 0",
  ],
  [
    "{weight: {layers: [[0, 2], [3, 4]]}}",
    "`layers` of the coefficient `weight`: [3, 4] should begin at 2: ranges follow one another, and each begins where the one before ends",
  ],
  [
    "{weight: {layers: [[2, 0]]}}",
    "each range of `layers` of the coefficient `weight`: [2, 0] is reversed: the second number is the layer after the last",
  ],
  [
    "{weight: {outside: own}}",
    "the coefficient `weight`: `outside` says where tensors outside of the layers go, and needs `layers`",
  ],
  ["{weight: {layers: 2, outside: first}}", "`outside` of the coefficient `weight` must be one of `own`"],
  [
    "{weight: {tensors: [mlp]}}",
    "`tensors` of the coefficient `weight` must be a mapping of names of your choice to filters, such as `attention: self_attn`",
  ],
  [
    "{weight: {tensors: {rest: mlp}}}",
    "`tensors` of the coefficient `weight`: `rest` is what no other filter matches: give `rest` another name",
  ],
  [
    "{weight: {tensors: {1: mlp}}}",
    "`tensors` of the coefficient `weight`: `1` should begin with a letter and have no brackets",
  ],
  [
    '{weight: {tensors: {all: "*", mlp: mlp}}}',
    "`tensors` of the coefficient `weight`: nothing is left for `mlp` after the filter `*`",
  ],
  [
    "{weight: {tensors: {a: mlp, b: mlp}}}",
    "`tensors` of the coefficient `weight`: `b` has the filter of a kind before it, `mlp`",
  ],
])("%s is refused, once and with what to do", (coefficients, problem) => {
  expect(problemsOf(coefficients)).toEqual([`r.yaml:7: ${problem}`]);
});

test("a condition on layers that is none is refused by what it may be", () => {
  for (const layers of ["0/4", "5/4", "first", "3"]) {
    const text = HEAD.replace("x/a}", `x/a, parameters: {weight: [{layers: ${layers}, value: 1}]}}`).replace(
      "x/b}",
      "x/b, parameters: {weight: 1}}",
    );
    expect(problemsIn(text, "r.yaml")).toEqual([
      "r.yaml:4: `layers` of `weight` must be a range such as [0, 4], a share such as 1/4 (the first quarter of the layers), or `outside`",
    ]);
  }
});

test("a number that a statistic over the whole model depends on has no groups", () => {
  const text = withSearch("{coefficients: {density: {layers: 2}}}").replace("task_arithmetic", "ties_official");
  expect(problemsIn(text, "r.yaml")).toEqual([
    "r.yaml:7: the coefficient `density` must have one value for all tensors: a statistic over the whole model depends on it",
  ]);
});
