import type { TensorSpec } from "@amalgam/checkpoint";
import fc from "fast-check";
import { expect, test } from "vitest";
import { searchDimensions, stringifyRecipe, withCoefficients } from "../recipe/index.ts";
import { coefficientCoverage } from "./coverage.ts";
import { explainPlan, explanationRows, type Plan, PlanProblems, planJob, scalarRows } from "./index.ts";
import { syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";

const spec = (name: string): TensorSpec => ({ name, dtype: "F32", shape: [2, 4] });

/** A stack of layers with attention, an MLP and a norm each. */
const stack = (prefix: string, layers: number): TensorSpec[] =>
  Array.from({ length: layers }, (_, layer) =>
    ["self_attn.q.weight", "mlp.up.weight", "norm.weight"].map((rest) => spec(`${prefix}.${layer}.${rest}`)),
  ).flat();

const MODEL = [
  spec("model.embed_tokens.weight"),
  ...stack("model.layers", 5),
  spec("model.norm.weight"),
  spec("lm_head.weight"),
];

const recipe = (
  coefficients: string,
  body = "models: [{model: a}, {model: b}]",
): string => `merge_method: task_arithmetic
base_model: base
${body}
evaluate: {tasks: [t.yaml]}
search: {coefficients: ${coefficients}}
`;

const planOf = (text: string, specs: readonly TensorSpec[] = MODEL): Plan =>
  planJob(syntheticJob(text, (path) => syntheticCheckpoint(path, specs)));

const coverageOf = (plan: Plan) => coefficientCoverage(plan.recipe, plan.variants[0]!, plan.tensors);

const problemsOf = (text: string, specs: readonly TensorSpec[] = MODEL): readonly string[] => {
  try {
    planOf(text, specs);
  } catch (error) {
    if (error instanceof PlanProblems) return error.problems;
    throw error;
  }
  return [];
};

test("groups of layers are equal up to one layer, embeddings go with the first and norm and head with the last", () => {
  const found = coverageOf(planOf(recipe("{weight: {layers: 2}}")));
  expect(found.map(({ name, tensors, layers, outside }) => [name, tensors, layers, outside])).toEqual([
    ["weight[a][layers 1/2]", 10, [0, 2], 1],
    ["weight[a][layers 2/2]", 8, [3, 4], 2],
    ["weight[b][layers 1/2]", 10, [0, 2], 1],
    ["weight[b][layers 2/2]", 8, [3, 4], 2],
  ]);
  expect(found[0]?.parameters).toBe(80);
});

test("with `outside: own` they are a group, and kinds divide what is in the layers", () => {
  const text = recipe(
    "{weight: {per: recipe, layers: [[0, 1], [1, 5]], outside: own, tensors: {attention: self_attn, mlp: mlp}}}",
  );
  expect(coverageOf(planOf(text)).map(({ name, tensors, outside }) => [name, tensors, outside])).toEqual([
    ["weight[outside]", 3, 3],
    ["weight[layer 0][attention]", 1, 0],
    ["weight[layer 0][mlp]", 1, 0],
    ["weight[layer 0][rest]", 1, 0],
    ["weight[layers 1-4][attention]", 4, 0],
    ["weight[layers 1-4][mlp]", 4, 0],
    ["weight[layers 1-4][rest]", 4, 0],
  ]);
});

test("every stack of layers is divided by its own count", () => {
  const specs = [...stack("encoder.block", 2), ...stack("decoder.block", 6)];
  const found = coverageOf(planOf(recipe("{weight: {per: recipe, layers: 2}}"), specs));
  expect(found.map(({ tensors }) => tensors)).toEqual([3 + 9, 3 + 9]);
});

test("layers of slices are those of the merged model", () => {
  const slice = (model: string, first: number, end: number): string =>
    `- sources: [{model: base, layer_range: [${first}, ${end}]}, {model: ${model}, layer_range: [${first}, ${end}]}]`;
  const slices = `slices:\n${slice("a", 2, 4)}\n${slice("a", 0, 2)}`;
  const found = coverageOf(planOf(recipe("{weight: {layers: 2}}", slices)));
  expect(found.map(({ name, layers }) => [name, layers])).toEqual([
    ["weight[a][layers 1/2]", [0, 1]],
    ["weight[a][layers 2/2]", [2, 3]],
  ]);
  const twoModels = `slices:\n${slice("a", 0, 2)}\n${slice("b", 2, 5)}`;
  expect(problemsOf(recipe("{weight: {layers: [[0, 2], [2, 5]]}}", twoModels))).toEqual([
    "`weight[a][layers 2-4]` covers no tensor: there are layers 0-1: choose groups that have tensors",
    "`weight[b][layers 0-1]` covers no tensor: there are layers 2-4: choose groups that have tensors",
  ]);
});

test("the plan says what each coefficient covers", () => {
  const rows = explanationRows(explainPlan(planOf(recipe("{weight: {layers: 2}}"))));
  expect(rows.filter(([label]) => label === "search" || label === "coefficient").slice(0, 3)).toEqual([
    ["search", "30 trials, 2 at a time, over 4 coefficients"],
    ["coefficient", "weight[a][layers 1/2] in [0, 1]: 10 tensors (layers 0-2, 1 outside of the layers), 80 parameters"],
    ["coefficient", "weight[a][layers 2/2] in [0, 1]: 8 tensors (layers 3-4, 2 outside of the layers), 64 parameters"],
  ]);
});

test("a coefficient that covers nothing is refused with the layers and kinds that there are", () => {
  expect(problemsOf(recipe("{weight: {per: recipe, layers: 6}}"))).toEqual([
    "`weight[layers 6/6]` covers no tensor: there are layers 0-4: choose groups that have tensors",
  ]);
  expect(problemsOf(recipe("{weight: {per: recipe, layers: [[0, 2], [2, 12]]}}"))).toEqual([
    "the coefficient `weight`: its `layers` end at 12, the merged model has 5 layers: end the last range at 5",
  ]);
  expect(problemsOf(recipe("{weight: {tensors: {attention: attn.k}}}"))).toEqual([
    "`weight[a][attention]`, `weight[b][attention]` cover no tensor: names have `lm_head.weight`, `model.embed_tokens.weight`, `mlp`, `norm`, `self_attn`, `model.norm.weight` in them: choose groups that have tensors, or end `tensors` with a filter `*` where the kinds are all there is",
  ]);
  expect(problemsOf(recipe("{weight: {per: recipe, tensors: {all: weight}}}"))[0]).toMatch(
    /^`weight\[rest\]` covers no tensor/,
  );
  expect(problemsOf(`${recipe("{weight: {}}")}exclude: [weight]\n`)).toEqual([
    "`weight[a]`, `weight[b]` cover no tensor: `weight` has no effect on what is merged here: do not search it",
  ]);
});

const groups = fc.record({
  per: fc.constantFrom("model", "recipe"),
  layers: fc.option(fc.oneof(fc.integer({ min: 2, max: 5 }), fc.constant("[[0, 2], [2, 5]]")), { nil: undefined }),
  own: fc.boolean(),
  tensors: fc.option(fc.constantFrom("{attention: self_attn}", '{mlp: mlp, others: "*"}'), { nil: undefined }),
});

test("the published recipe's text gives every tensor the numbers that the coefficients gave it", () => {
  fc.assert(
    fc.property(groups, groups, fc.integer({ min: 0, max: 99 }), (first, second, salt) => {
      const coefficient = ({ per, layers, own, tensors }: typeof first): string =>
        `{per: ${per}, low: 0, high: 1, ${layers === undefined ? "" : `layers: ${layers}, ${own ? "outside: own, " : ""}`}${tensors === undefined ? "" : `tensors: ${tensors}`}}`;
      const searched = planOf(
        recipe(`{weight: ${coefficient(first)}, lambda: ${coefficient({ ...second, per: "recipe" })}}`),
      );
      const names = searchDimensions(searched.recipe).map(({ name }) => name);
      const values = Object.fromEntries(names.map((name, index) => [name, ((index + 1) * (salt + 1)) / 7919]));
      const published = planOf(stringifyRecipe(withCoefficients(searched.recipe, values)));
      const rows = (plan: Plan, coefficients: Record<string, number>) =>
        plan.shards.flatMap((_, shard) =>
          scalarRows(plan, plan.variants[0]!, coefficients)(shard).map((row) => row.values),
        );
      expect(rows(published, {})).toEqual(rows(searched, values));
      expect(published.recipe.search).toBeUndefined();
      // Every tensor has exactly one coefficient of each parameter and model.
      const lambdas = coverageOf(searched).filter(({ name }) => name.startsWith("lambda"));
      expect(lambdas.reduce((sum, { tensors }) => sum + tensors, 0)).toBe(MODEL.length);
    }),
    { numRuns: 60, seed: 42 },
  );
});
