import { expect, test } from "vitest";
import { parseRecipe, searchDimensions, stringifyRecipe, variantsOf, withCoefficients } from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const parse = (text: string) => parseRecipe(text, { fileName: "r.yaml" });

const problemsOf = (text: string): string[] => problemsIn(text, "r.yaml");

const STACK = `merge_method: passthrough
slices:
- sources:
  - {model: x/a, layer_range: [0, 3]}
- sources:
  - {model: x/b, layer_range: [1, 4], parameters: {scale: [0.5, 1]}}
  parameters: {scale: 2}
  residual_weight: 0.1
`;

const TIES = `merge_method: ties
base_model: base
slices:
- sources:
  - {model: base, layer_range: [0, 2]}
  - {model: a, layer_range: [0, 2], parameters: {weight: 1}}
- base_model: a
  sources:
  - {model: a, layer_range: [2, 4]}
  - {model: b, layer_range: [2, 4], parameters: {weight: 0.5}}
  - {model: base, layer_range: [1, 3], parameters: {weight: 0.25}}
  parameters: {normalize: false, lambda: 0.5}
parameters: {density: 0.5}
`;

test("slices become parts: sources without their base, settings from the slice up, options of each", () => {
  const [variant] = variantsOf(parse(TIES));
  const seen = variant?.parts.map(({ base, sources, levels, options }) => ({
    base: base && [base.model.path, base.layers?.first],
    sources: sources.map(({ model, parameters }) => [model.name, parameters["weight"]]),
    lambda: levels.map((settings) => settings["lambda"]),
    normalize: options["normalize"],
  }));
  expect(seen).toEqual([
    { base: ["base", 0], sources: [["a", 1]], lambda: [undefined, undefined, undefined], normalize: true },
    {
      base: ["a", 2],
      sources: [
        ["b", 0.5],
        ["base", 0.25],
      ],
      lambda: [0.5, undefined, undefined],
      normalize: false,
    },
  ]);
});

test("the models of slices are named once, and their text reads back", () => {
  for (const text of [STACK, TIES]) {
    const recipe = parse(text);
    expect(parse(stringifyRecipe(recipe))).toEqual(recipe);
  }
  expect(parse(TIES).models.map(({ name }) => name)).toEqual(["base", "a", "b"]);
  const modules = parse(`merge_method: linear
modules:
  text_decoder: {models: [{model: a}, {model: b, name: second, parameters: {weight: 2}}], parameters: {weight: 1}}
  vision_tower:
    slices: [{sources: [{model: a, layer_range: [0, 2], parameters: {weight: [1, 0]}}]}]
`);
  expect(modules.models.map(({ path, name }) => [path, name])).toEqual([
    ["a", "a"],
    ["b", "second"],
  ]);
  expect(parse(stringifyRecipe(modules))).toEqual(modules);
});

test("a model in several slices has one coefficient, which all its sources get", () => {
  const search = "evaluate: {tasks: [t]}\nsearch: {coefficients: {weight: {}, lambda: {low: 0, high: 1}}}\n";
  const recipe = parse(TIES.replace(", parameters: {weight: 0.25}", "") + search);
  const names = searchDimensions(recipe).map(({ name }) => name);
  expect(names).toEqual(["weight[base]", "weight[a]", "weight[b]", "lambda"]);
  const found = withCoefficients(recipe, { "weight[base]": 0.1, "weight[a]": 0.2, "weight[b]": 0.3, lambda: 0.4 });
  expect(found.parameters).toEqual({ density: 0.5, lambda: 0.4 });
  const [first, second] = found.modules?.[0]?.slices ?? [];
  expect(first?.sources.map(({ parameters }) => parameters["weight"])).toEqual([0.1, 0.2]);
  expect(second?.sources.map(({ parameters }) => parameters["weight"])).toEqual([0.2, 0.3, 0.1]);
  expect(second?.parameters).toEqual({ normalize: false });
});

test("a comparison merges the same slices by another method", () => {
  const row = "evaluate: {tasks: [t], compare: [{merge_method: task_arithmetic, weights: {a: 2, b: 3, base: 4}}]}\n";
  const [, compared] = variantsOf(parse(TIES + row));
  expect(compared?.parts.map(({ base }) => base?.model.path)).toEqual(["base", "a"]);
  expect(compared?.parts.map(({ sources }) => sources.map(({ parameters }) => parameters))).toEqual([
    [{ weight: 2 }],
    [{ weight: 3 }, { weight: 4 }],
  ]);
  expect(problemsOf(`${TIES}evaluate: {tasks: [t], compare: [models]}\n`)).toEqual([
    "r.yaml:14: `models` in `compare`: the models have other layers than one made of slices or modules",
  ]);
});

test("every key of slices is checked, and the nearest known one named", () => {
  expect(
    problemsOf(STACK.replace("layer_range: [0, 3]", "layer_rang: [0, 3]").replace("residual_weight", "residul_weight")),
  ).toEqual([
    "r.yaml:4: unknown key `layer_rang` in an item of `sources` (did you mean `layer_range`?)",
    "r.yaml:8: unknown key `residul_weight` in slice 2 (did you mean `residual_weight`?)",
  ]);
  expect(problemsOf(STACK.replace("scale: 2", "scal: 2"))[0]).toContain("no parameter `scal` (did you mean `scale`?)");
});

test.for([
  ["[3, 3]", "[3, 3] has no layers: the second number is the layer after the last"],
  ["[3, 1]", "[3, 1] is reversed: the second number is the layer after the last"],
  ["[0, 1.5]", "each number of `layer_range` of model `x/a` must be a whole number, not 1.5"],
  ["[-1, 2]", "each number of `layer_range` of model `x/a` must be at least 0, not -1"],
  ["[1]", "must be two numbers: the first layer, and the one after the last"],
  ["3", "must be two numbers: the first layer, and the one after the last"],
] as const)("a layer_range of %s is one problem", ([range, message]) => {
  const problems = problemsOf(STACK.replace("[0, 3]", range));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^r.yaml:4: /);
  expect(problems[0]).toContain(message);
});

test("sources that do not fit together, and slices that lack something, are told with their lines", () => {
  expect(problemsOf(TIES.replace("model: a, layer_range: [0, 2]", "model: a, layer_range: [0, 3]"))).toEqual([
    "r.yaml:4: the sources of slice 1 differ in length: 2 layers of `base`, 3 of `a`",
  ]);
  expect(problemsOf(TIES.replace("- {model: base, layer_range: [0, 2]}\n", ""))).toEqual([
    "r.yaml:5: slice 1: the base `base` is not among its sources: add it with its `layer_range`",
  ]);
  expect(problemsOf(TIES.replace("model: b,", "model: a,"))).toEqual([
    "r.yaml:10: slice 2 names model `a` twice: a model can be merged with itself only as a copy under another path",
  ]);
  expect(problemsOf(STACK.replace("]}\n- sources", "]}\n  - {model: x/b, layer_range: [0, 3]}\n- sources"))).toEqual([
    "r.yaml:4: slice 1: method `passthrough` merges exactly 1 model, not 2",
  ]);
  expect(problemsOf(TIES.replace(", parameters: {weight: 0.5}", ""))).toEqual([
    "r.yaml:10: model `b` needs the parameter `weight` (method `ties`)",
  ]);
  expect(problemsOf("merge_method: passthrough\nslices: []\n")).toEqual([
    "r.yaml:2: `slices` is empty: name at least one slice",
  ]);
  expect(problemsOf("merge_method: passthrough\nslices: [{sources: []}]\n")).toEqual([
    "r.yaml:2: `sources` of slice 1 is empty: name at least one model",
  ]);
  expect(problemsOf("merge_method: passthrough\nmodules: {}\n")).toHaveLength(1);
  expect(problemsOf("merge_method: passthrough\nmodules: {a: {parameters: {}}}\n")).toEqual([
    "r.yaml:2: module `a` needs either `slices` or `models`",
  ]);
  expect(problemsOf(`${STACK}models: [{model: a}]\n`)).toEqual([
    "r.yaml:9: a recipe has `models` or `slices`, not both",
  ]);
});
