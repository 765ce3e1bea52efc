import { expect, test } from "vitest";
import { variantWithCoefficients, withCoefficients } from "./coefficients.ts";
import { estimatedModels, importancePoints, parseRecipe, type Recipe, stringifyRecipe, variantsOf } from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const parse = (text: string): Recipe => parseRecipe(text, { fileName: "r.yaml" });
const problemsOf = (text: string): string[] => problemsIn(text, "r.yaml");

const recipe = (
  fisher: string,
  { method = "df_merge", models = "", evaluate = "", search = "search:\n" } = {},
): string => `merge_method: ${method}
base_model: base
models:
- {model: x/a}
- {model: x/b}
${models}evaluate:
  tasks: [a.yaml, t/b.yaml]
${evaluate}fisher:${fisher}
${search}`;

test("the defaults are those of DF-Merge: 30 items, exact, anew at each trial", () => {
  const { fisher } = parse(recipe(""));
  expect(fisher).toEqual({ estimate: "per_trial", items: 30, estimator: "exact", parts: 1, tasks: {} });
});

test("a method that weighs models as they are has their importance estimated once", () => {
  expect(parse(recipe("", { method: "fisher" })).fisher).toMatchObject({ estimate: "once" });
});

test("every key is read, and written so that it is read again as the same", () => {
  const text = recipe(" {estimate: once, items: 8, estimator: sampled, split: dev, parts: 2, tasks: {b: t/b.yaml}}");
  const parsed = parse(text);
  expect(parsed.fisher).toEqual({
    estimate: "once",
    items: 8,
    estimator: "sampled",
    split: "dev",
    parts: 2,
    tasks: { b: "t/b.yaml" },
  });
  expect(parse(stringifyRecipe(parsed))).toEqual(parsed);
});

test("everything wrong is told with its line and what to do", () => {
  const wrong = " {estimate: allways, items: 0, estimator: exakt, split: 3, parts: 0, taks: {}}";
  expect(problemsOf(recipe(wrong))).toEqual([
    "r.yaml:8: unknown key `taks` in `fisher` (did you mean `tasks`?)",
    "r.yaml:8: `estimate` of `fisher` must be one of `per_trial`, `once`, `files`, `none`",
    'r.yaml:8: `split` of `fisher` must be text: write "3" in quotes',
    "r.yaml:8: `items` of `fisher` must be from 1 to 1000000, not 0",
    "r.yaml:8: `estimator` of `fisher` must be one of `exact`, `sampled`, `empirical` (did you mean `exact`?)",
    "r.yaml:8: `parts` of `fisher` must be from 1 to 1000, not 0",
  ]);
});

test("tasks must be of the recipe's models and among those it evaluates", () => {
  expect(problemsOf(recipe(" {tasks: {c: a.yaml, a: b.yaml}}"))).toEqual([
    "r.yaml:8: unknown model `c` in `tasks` of `fisher` (did you mean `a`?)",
    "r.yaml:8: task `b.yaml` of `a` is not among the `tasks` of `evaluate` (did you mean `a.yaml`?)",
  ]);
});

test("a section that nothing would come of is refused", () => {
  const ties = { method: "ties", search: "parameters: {density: 0.5, weight: 1}\n" };
  expect(problemsOf(recipe("", ties))).toEqual([
    "r.yaml:8: method `ties` does not weigh by Fisher information, and no row of `compare` does: remove `fisher`, or choose `df_merge` or `fisher`",
  ]);
  const row = "  compare: [{merge_method: fisher}]\n";
  expect(parse(recipe("", { ...ties, evaluate: row })).fisher).toMatchObject({ estimate: "once" });
  expect(problemsOf(recipe(" {estimate: per_trial}", { method: "fisher" }))).toEqual([
    "r.yaml:8: `estimate: per_trial`: method `fisher` weighs the models as they are: use `estimate: once`",
  ]);
});

test("a model's file beside estimates, slices, and a recipe without tasks are refused", () => {
  expect(problemsOf(recipe("", { models: "- {model: x/c, fisher: c.safetensors}\n" }))).toEqual([
    "r.yaml:6: model `c` names a file under `fisher`, which `estimate: per_trial` would not read: remove one of the two (`estimate: files` reads it)",
  ]);
  const alone = "merge_method: df_merge\nbase_model: base\nmodels:\n- {model: a, parameters: {weight: 1}}\nfisher:\n";
  expect(problemsOf(alone)).toEqual([
    "r.yaml:5: `fisher` needs an `evaluate` section: its tasks have the items that estimates are made on",
  ]);
  const slices = `merge_method: df_merge
base_model: base
slices:
- sources: [{model: base, layer_range: [0, 2]}, {model: a, layer_range: [0, 2], parameters: {weight: 1}}]
evaluate: {tasks: [a.yaml]}
fisher: {estimate: once}
`;
  expect(problemsOf(slices)).toEqual([
    "r.yaml:6: Fisher information is estimated of whole models: with `slices` or `modules` name files (`estimate: files`)",
  ]);
});

const scales = (parsed: Recipe, values: Readonly<Record<string, number>>, variant = 0): unknown =>
  importancePoints(parsed, variantWithCoefficients(parsed, variantsOf(parsed)[variant]!, values)).map(
    ({ model, scale }) => [model.name, scale],
  );

test("the importance of a trial is that at its own coefficients, of a row of the comparison that of the models", () => {
  const parsed = parse(
    recipe("", { evaluate: "  compare: [{merge_method: fisher}, {merge_method: linear, parameters: {weight: 1}}]\n" }),
  );
  const values = { "weight[a]": 0.25, "weight[b]": 0.5 };
  expect(scales(parsed, values)).toEqual([
    ["a", 0.25],
    ["b", 0.5],
  ]);
  expect(scales(parsed, values, 1)).toEqual([
    ["a", 1],
    ["b", 1],
  ]);
  expect(scales(parsed, values, 2)).toEqual([]);
  // What is published gives the same when it is merged.
  expect(scales(withCoefficients(parsed, values), {})).toEqual([
    ["a", 0.25],
    ["b", 0.5],
  ]);
});

test("with groups of layers all coefficients of a model say where its importance is estimated", () => {
  const parsed = parse(recipe("", { search: "search: {coefficients: {weight: {layers: 2}}}\n" }));
  const names = ["weight[a][layers 1/2]", "weight[a][layers 2/2]", "weight[b][layers 1/2]", "weight[b][layers 2/2]"];
  const [[, scale]] = scales(parsed, Object.fromEntries(names.map((name, i) => [name, i / 4]))) as [[string, unknown]];
  expect(scale).toMatchObject([{ value: 0 }, { value: 0.25 }]);
});

test("the ablations are switches: static, none, and files", () => {
  const values = { "weight[a]": 0.25, "weight[b]": 0.5 };
  expect(scales(parse(recipe(" {estimate: once}")), values)).toEqual([
    ["a", 1],
    ["b", 1],
  ]);
  expect(scales(parse(recipe(" {estimate: none}")), values)).toEqual([
    ["a", undefined],
    ["b", undefined],
  ]);
  expect(scales(parse(recipe(" {estimate: files}")), values)).toEqual([]);
});

test("estimates are made of the models that some merge weighs, each once", () => {
  const namesOf = (text: string): string[] => {
    const parsed = parse(text);
    return estimatedModels(parsed, variantsOf(parsed)).map(({ name }) => name);
  };
  expect(namesOf(recipe(""))).toEqual(["a", "b"]);
  expect(namesOf(recipe(" {estimate: none}"))).toEqual([]);
  expect(namesOf(recipe(" {estimate: none}", { evaluate: "  compare: [{merge_method: fisher}]\n" }))).toEqual([
    "a",
    "b",
  ]);
});
