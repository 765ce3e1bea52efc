import { expect, test } from "vitest";
import { parseRecipe, type Recipe, searchStages, stringifyRecipe } from "./index.ts";
import { problemsOf as problemsIn } from "./testing/problems.ts";

const recipe = (coarse: string, weight = "{layers: 2}", rest = ""): string => `merge_method: task_arithmetic
base_model: base
models: [{model: a}, {model: b}]
evaluate: {tasks: [t.yaml]}
search:
  trials: 100
  coefficients: {weight: ${weight}, lambda: {low: 0, high: 1}}
  coarse_to_fine: ${coarse}
${rest}`;

const parse = (text: string): Recipe => parseRecipe(text, { fileName: "r.yaml" });
const problemsOf = (...text: Parameters<typeof recipe>): string[] => problemsIn(recipe(...text), "r.yaml");

test("stages tie the coefficients of a parameter, then those of a model", () => {
  const parsed = parse(recipe("{scale: 8, model: 42}"));
  expect(searchStages(parsed)).toEqual([
    {
      name: "scale",
      trials: 8,
      ties: {
        "weight[a][layers 1/2]": "weight",
        "weight[a][layers 2/2]": "weight",
        "weight[b][layers 1/2]": "weight",
        "weight[b][layers 2/2]": "weight",
        lambda: "lambda",
      },
    },
    {
      name: "model",
      trials: 42,
      ties: {
        "weight[a][layers 1/2]": "weight[a]",
        "weight[a][layers 2/2]": "weight[a]",
        "weight[b][layers 1/2]": "weight[b]",
        "weight[b][layers 2/2]": "weight[b]",
        lambda: "lambda",
      },
    },
  ]);
  expect(parse(stringifyRecipe(parsed))).toEqual(parsed);
});

test("`true` is a twentieth and three tenths of the trials, for the stages that have an effect", () => {
  const stagesOf = (weight: string) =>
    searchStages(parse(recipe("true", weight))).map(({ name, trials }) => [name, trials]);
  expect(stagesOf("{layers: 2}")).toEqual([
    ["scale", 5],
    ["model", 30],
  ]);
  expect(stagesOf("{}")).toEqual([["scale", 5]]);
  expect(stagesOf("{per: recipe, tensors: {mlp: mlp}}")).toEqual([["model", 30]]);
});

test("nothing goes from coarse to fine unless the recipe says so", () => {
  for (const text of [recipe("false"), recipe("true").replace("  coarse_to_fine: true\n", "")]) {
    expect(searchStages(parse(text))).toEqual([]);
    expect(parse(stringifyRecipe(parse(text)))).toEqual(parse(text));
  }
});

test("stages without an effect, without trials or for another strategy are refused", () => {
  expect(problemsOf("{model: 10}", "{}")).toEqual([
    "r.yaml:8: `coarse_to_fine`: `model` would search what comes after it: give a coefficient `layers` or `tensors`, or leave it out",
  ]);
  expect(problemsOf("{scale: 60, model: 40}")).toEqual([
    "r.yaml:8: `coarse_to_fine`: its stages have 100 of the 100 trials: leave some for the coefficients themselves",
  ]);
  expect(problemsOf("{scale: 0}")).toEqual(["r.yaml:8: `scale` of `coarse_to_fine` must be at least 1, not 0"]);
  expect(problemsOf("{}")).toEqual([
    "r.yaml:8: `coarse_to_fine` must be true, false, or a mapping of `scale`, `model` to their numbers of trials",
  ]);
  expect(problemsOf("yes please")).toHaveLength(1);
  expect(problemsOf("{layer: 3}")[0]).toContain("unknown key `layer` in `coarse_to_fine`");
  expect(problemsOf("true", "{layers: 2}", "  strategy: sobol\n")).toEqual([
    "r.yaml:8: `coarse_to_fine` goes with `strategy: bayesian` only",
  ]);
});
