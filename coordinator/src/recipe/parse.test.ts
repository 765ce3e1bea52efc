import { expect, test } from "vitest";
import { parseRecipe } from "./parse.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const parse = (text: string) => parseRecipe(text, { fileName: "recipe.yaml" });

const problemsOf = (text: string): string[] => problemsIn(text, "recipe.yaml");

const LINEAR = "merge_method: linear\nmodels:\n- model: a\n  parameters: {weight: 1}\n";
const TIES = "merge_method: ties\nbase_model: base\nmodels:\n- model: a\n  parameters: {weight: 0.5, density: 0.3}\n";

test("a recipe keeps models in order, with settings, names and companions", () => {
  const recipe = parse(`
merge_method: fisher
base_model: ./base/
models:
  - model: experts/a
    fisher: experts/a-fisher
    parameters: {weight: 0.5}
  - {model: experts/b, name: second}
parameters: {normalize: l2}
dtype: bfloat16
out_dtype: float16
exclude: [classifier]
seed: 7
`);
  expect(recipe).toEqual({
    method: "fisher",
    base: "base",
    models: [
      { path: "experts/a", name: "a", parameters: { weight: 0.5 }, companions: { fisher: "experts/a-fisher" } },
      { path: "experts/b", name: "second", parameters: {}, companions: {} },
    ],
    parameters: { normalize: "l2" },
    dtype: "BF16",
    outDtype: "F16",
    arithmetic: "float32",
    exclude: ["classifier"],
    seed: 7,
  });
});

test("an unknown key is named with its line and the nearest key", () => {
  expect(problemsOf(`${LINEAR}exlude: [head]\n`)).toEqual([
    "recipe.yaml:5: unknown key `exlude` in the recipe (did you mean `exclude`?)",
  ]);
  expect(problemsOf("merge_method: linear\nmodels:\n- modell: a\n")).toContain(
    "recipe.yaml:3: unknown key `modell` in an item of `models` (did you mean `model`?)",
  );
});

test("a misspelt key or parameter is one problem: what was meant is not missing as well, and is read on", () => {
  expect(problemsOf(LINEAR.replace("merge_method", "merge_metod"))).toEqual([
    "recipe.yaml:1: unknown key `merge_metod` in the recipe (did you mean `merge_method`?)",
  ]);
  expect(problemsOf(TIES.replace("base_model", "base_modle"))).toEqual([
    "recipe.yaml:2: unknown key `base_modle` in the recipe (did you mean `base_model`?)",
  ]);
  expect(problemsOf(LINEAR.replace("weight: 1", "wieght: abc"))).toEqual([
    expect.stringMatching(/^recipe.yaml:4: method `linear` has no parameter `wieght` \(did you mean `weight`\?\)/),
    'recipe.yaml:4: `weight` must be a number, not "abc"',
  ]);
});

test("a value that was refused is not missing as well, and others that are missing still are", () => {
  const two = `${LINEAR.replace("weight: 1", "weight: abc")}- model: b\n`;
  expect(problemsOf(two)).toEqual([
    'recipe.yaml:4: `weight` must be a number, not "abc"',
    "recipe.yaml:5: model `b` needs the parameter `weight` (method `linear`)",
  ]);
  expect(problemsOf(LINEAR.replace("{weight: 1}", "1"))).toEqual([
    "recipe.yaml:4: the parameters of model `a` must be a mapping of parameter names to values",
  ]);
  expect(problemsOf(TIES.replace("base_model: base", "base_model: 7"))).toEqual([
    'recipe.yaml:2: `base_model` must be text: write "7" in quotes',
  ]);
});

test("a key that is near to none is answered with the known ones", () => {
  expect(problemsOf(`${LINEAR}zzzzzz: 1\n`)[0]).toContain("unknown key `zzzzzz` in the recipe (keys: `merge_method`,");
});

test("all problems come at once, in the order of their lines", () => {
  const problems = problemsOf(`
merge_method: ties
models:
- model: a
  parameters: {weight: .nan, densitty: 0.5}
- model: b
  parameters: {weight: 1, density: 1.5}
seed: -1
dtype: int8
`);
  expect(problems).toEqual([
    "recipe.yaml:2: method `ties` needs `base_model`: the checkpoint that the models were tuned from",
    "recipe.yaml:5: `weight` must be a finite number, not NaN",
    "recipe.yaml:5: method `ties` has no parameter `densitty` (did you mean `density`?) (parameters: `weight`, `density`, `lambda`, `normalize`, `rescale`)",
    "recipe.yaml:7: `density` must be from 0 to 1, not 1.5",
    "recipe.yaml:8: `seed` must be at least 0, not -1",
    "recipe.yaml:9: `dtype` must be a floating type such as float32, bfloat16 or float16, not int8",
  ]);
});

test("a required parameter may stand at the model or at the top level", () => {
  const models = "models:\n- model: a\n- model: b\n";
  expect(parse(`merge_method: linear\n${models}parameters: {weight: 1}\n`).parameters).toEqual({ weight: 1 });
  expect(problemsOf(`merge_method: linear\n${models}`)).toEqual([
    "recipe.yaml:3: model `a` needs the parameter `weight` (method `linear`)",
    "recipe.yaml:4: model `b` needs the parameter `weight` (method `linear`)",
  ]);
});

test("a parameter that stands outside of `parameters`, or at the wrong level, is told where it belongs", () => {
  expect(problemsOf(`${TIES}lambda: 0.4\n`)).toEqual([
    "recipe.yaml:6: `lambda` is a parameter: put it under `parameters:`",
  ]);
  const inModel = "merge_method: ties\nbase_model: b\nmodels:\n- model: a\n  parameters: {weight: 1, lambda: 0.4}\n";
  expect(problemsOf(inModel)).toEqual([
    "recipe.yaml:5: `lambda` is a parameter of the whole merge: put it under the top-level `parameters`",
  ]);
  const besideModel = "merge_method: linear\nmodels:\n- model: a\n  weight: 1\n- model: b\n  parameters: {weight: 1}\n";
  expect(problemsOf(besideModel)).toContain("recipe.yaml:4: `weight` is a parameter: put it under `parameters:`");
});

test("mergekit's parameters without effect are accepted and dropped", () => {
  const recipe = parse(`
merge_method: task_arithmetic
base_model: base
models:
- {model: a, parameters: {weight: 1, density: 0.5}}
parameters: {int8_mask: true, normalize: 1.0}
`);
  expect(recipe.models[0]?.parameters).toEqual({ weight: 1 });
  expect(recipe.parameters).toEqual({ normalize: true });
});

test("booleans and choices are checked", () => {
  expect(problemsOf(`${TIES}parameters: {normalize: maybe}\n`)).toEqual([
    "recipe.yaml:6: `normalize` must be true or false",
  ]);
  expect(problemsOf(`${TIES}parameters: {normalize: [{filter: mlp, value: true}]}\n`)).toEqual([
    "recipe.yaml:6: `normalize` must be one value for the whole merge: it cannot vary over tensors",
  ]);
  expect(problemsOf("merge_method: fisher\nmodels: [{model: a}]\nparameters: {normalize: l1}\n")).toEqual([
    "recipe.yaml:3: `normalize` must be one of `none`, `l2` (did you mean `l2`?)",
  ]);
});

test("a parameter that model-wide statistics depend on cannot vary over tensors", () => {
  const text = TIES.replace("ties", "ties_official").replace("weight: 0.5, density: 0.3", "density: [0.1, 0.9]");
  expect(problemsOf(text)[0]).toMatch(/^recipe.yaml:5: `density` must have one value for all tensors/);
});

test("malformed settings are refused: empty lists, mixed lists, conditionals outside of a list", () => {
  const withWeight = (weight: string) =>
    `merge_method: linear\nmodels:\n- model: a\n  parameters: {weight: ${weight}}\n`;
  expect(problemsOf(withWeight("[]"))).toContain("recipe.yaml:4: `weight` is an empty list: give at least one number");
  expect(problemsOf(withWeight("[1, {value: 2}]"))).toContain(
    "recipe.yaml:4: each number of `weight` must be a number",
  );
  expect(problemsOf(withWeight("{value: 1}"))).toContain(
    "recipe.yaml:4: `weight`: a conditional setting is a list: put `-` before `value`",
  );
  expect(problemsOf(withWeight("[{filter: mlp}]"))).toContain("recipe.yaml:4: each item of `weight` needs `value`");
  expect(problemsOf(withWeight('"0.5"'))).toContain('recipe.yaml:4: `weight` must be a number, not "0.5"');
  expect(problemsOf(withWeight("[.inf]"))).toContain(
    "recipe.yaml:4: each number of `weight` must be a finite number, not Infinity",
  );
});

test("a LoRA adapter stands behind its base, as text or as mergekit's mapping, and names the model", () => {
  const models = (reference: string) =>
    parse(LINEAR.replace("model: a", `model: ${reference}`)).models.map(({ path, name }) => [path, name])[0];
  expect(models("./base+./adapters/a/x/")).toEqual(["base+adapters/a/x", "x"]);
  expect(models("{model: {path: ./base}, lora: {path: adapters/x}}")).toEqual(["base+adapters/x", "x"]);
  expect(models("{path: base, lora: ./x}")).toEqual(["base+x", "x"]);
  expect(models("{path: base, lora: null}")).toEqual(["base", "base"]);
  for (const wrong of ["a+b+c", "a+", "+a", "{path: a, lora: b+c}", "{path: a+b, lora: c}"]) {
    expect(problemsOf(LINEAR.replace("model: a", `model: ${wrong}`)), wrong).toEqual([
      expect.stringMatching(/one adapter/),
    ]);
  }
});

test("models are paths, URLs, or names of the Hub with a revision; the mapping form says the same", () => {
  const path = (written: string) => parse(LINEAR.replace("model: a", `model: ${written}`)).models[0]?.path;
  for (const [written, path_] of [
    ["./a/", "a"],
    ["org/name@v1", "org/name@v1"],
    ["{path: org/name, revision: v1}", "org/name@v1"],
    ["{model: {path: org/name, revision: refs/pr/1}}", "org/name@refs/pr/1"],
    ["./org/name", "./org/name"],
    ["https://host/a/", "https://host/a"],
    ["s3://bucket/a", "s3://bucket/a"],
    ["hf://org/name@main", "hf://org/name"],
  ] as const) {
    expect(path(written), written).toBe(path_);
  }
  const names = parse(LINEAR.replace("model: a", "model: org/name@v1")).models.map(({ name }) => name);
  expect(names[0]).toBe("name");
  const problems = (written: string) => problemsOf(LINEAR.replace("model: a", `model: ${written}`)).join();
  expect(problems("{path: org/name@v1, revision: v2}")).toMatch(/name one revision/);
  expect(problems("https://me:secret@host/a")).toMatch(
    /recipe.yaml:\d+: `model`: https:\/\/host\/a: has a user name or/,
  );
  expect(problems("https://me:secret@host/a")).not.toContain("secret");
  expect(problems("ftp://host/a")).toMatch(/use https:\/\/, s3:\/\/ or hf:\/\//);
});

test("an unknown method is answered with the nearest one and the list", () => {
  expect(problemsOf(LINEAR.replace("linear", "linaer"))).toEqual([
    expect.stringMatching(
      /^recipe.yaml:1: unknown merge method `linaer` \(did you mean `linear`\?\) \(methods: `linear`, /,
    ),
  ]);
});

test("a base among the models is no model for methods that use a base, and one for those that do not", () => {
  const models = "models:\n- model: ./base\n- {model: a, parameters: {weight: 1}}\n";
  const ties = parse(`merge_method: ties\nbase_model: base\n${models}`);
  expect(ties.models.map(({ name }) => name)).toEqual(["a"]);
  const linear = parse(`merge_method: linear\nbase_model: base\n${models}parameters: {weight: 1}\n`);
  expect(linear.models.map(({ name }) => name)).toEqual(["base", "a"]);
});

test("models with the same folder name are told apart by their paths; the same name twice is refused", () => {
  const models = (x: string, y: string) =>
    `merge_method: linear\nparameters: {weight: 1}\nmodels:\n- {model: ${x}}\n- {model: ${y}}\n`;
  expect(parse(models("a/final", "b/final")).models.map(({ name }) => name)).toEqual(["a/final", "b/final"]);
  expect(problemsOf(models("a, name: x", "b, name: x"))).toEqual([
    "recipe.yaml:5: two models are named `x` (the other on line 4): give one of them another `name`",
  ]);
});

test("text that is no recipe ends with its line: bad YAML, duplicate keys, a list, nothing", () => {
  expect(problemsOf("models: [\n- model: a\n  parameters: {weight: 1}\nseed: 1\n")).toEqual([
    expect.stringMatching(/^recipe.yaml:2: not valid YAML: Flow sequence/),
  ]);
  expect(problemsOf("a: [1,\nb: 2\n")[0]).toMatch(/^recipe.yaml:\d+: not valid YAML: /);
  expect(problemsOf("merge_method: linear\nmerge_method: ties\n")[0]).toMatch(/^recipe.yaml:2: not valid YAML: /);
  expect(problemsOf("- a\n")).toEqual(["recipe.yaml:1: a recipe is a mapping that starts with `merge_method:`"]);
  expect(problemsOf("")).toEqual(["recipe.yaml:1: the recipe is empty"]);
  expect(problemsOf("# nothing\n")).toEqual(["recipe.yaml:1: the recipe is empty"]);
});

test("anchors and merge keys work, and cannot be used to exhaust memory", () => {
  const recipe = parse(`
merge_method: linear
models:
- model: a
  parameters: &same {weight: 0.5}
- model: b
  parameters: *same
- model: c
  parameters: {<<: *same}
`);
  expect(recipe.models.map(({ parameters }) => parameters["weight"])).toEqual([0.5, 0.5, 0.5]);
  const bomb = ["a0: &a0 [1, 1]"];
  for (let level = 1; level < 30; level++) bomb.push(`a${level}: &a${level} [*a${level - 1}, *a${level - 1}]`);
  expect(problemsOf(bomb.join("\n"))).toContainEqual(expect.stringMatching(/expands to more than|nested deeper/));
});

test("an invalid pattern under `exclude` is refused", () => {
  expect(problemsOf(`${LINEAR}exclude: ["(head"]\n`)[0]).toMatch(
    /^recipe.yaml:5: `exclude`: Invalid regular expression/,
  );
});

test("names that YAML reads as numbers are asked for in quotes", () => {
  expect(problemsOf(LINEAR.replace("model: a", "model: 2024"))).toContain(
    'recipe.yaml:3: `model` must be text: write "2024" in quotes',
  );
});
