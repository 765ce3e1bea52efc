import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRecipe, parseStages, RecipeProblems, stageText } from "./index.ts";

const RECIPE = `merge_method: df_merge
base_model: base
models:
- {model: x/a, name: a, parameters: {weight: [{filter: mlp, layers: 1/2, value: [0.2, 0.8]}, {value: 0.4}]}}
- {model: x/b, fisher: f, parameters: {weight: 0.25}}
parameters: {epsilon: 1.0e-9}
exclude: [head]
seed: 3
evaluate:
  tasks: [t.yaml]
  compare: [models, {merge_method: ties, weights: {a: 1, b: 2}}]
search:
  coefficients: {epsilon: {low: 0, high: 1, layers: [[0, 2], [2, 3]], outside: own, tensors: {mlp: mlp}}}
  start: [{epsilon: 0.5}]
`;

const STAGES = `name: first
merge_method: ties
base_model: base
slices:
- sources:
  - {model: base, layer_range: [0, 2]}
  - {model: x/a, name: a, layer_range: [1, 3], parameters: {weight: [0, 1]}}
  parameters: {density: [{filter: mlp, value: 0.5}]}
- base_model: x/a
  sources: [{model: x/a, layer_range: [0, 1]}, {model: b, layer_range: [4, 5]}]
  residual_weight: 1
parameters: {weight: 1}
---
merge_method: linear
modules: {text_decoder: {models: [{model: first}, {model: b}], parameters: {weight: 1}}}
`;

/** Either a recipe whose text reads back as itself, or problems with lines: nothing else may come of any text. */
function holds(text: string): void {
  try {
    const stages = parseStages(text, { fileName: "r" });
    expect(parseStages(stageText(stages, stages.at(-1)!), { fileName: "again" })).toEqual(stages);
  } catch (error) {
    if (!(error instanceof RecipeProblems)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
  }
}

const tokens = fc.constantFrom(
  "{",
  "}",
  "[",
  "]",
  "- ",
  ": ",
  "&x ",
  "*x",
  "<<: *x",
  "~",
  ".nan",
  "'",
  "!!set ",
  "---\n",
  "\t",
  "__proto__",
  "1e999",
  "?",
  "|\n",
  "\u0000",
);

test("no text breaks the parser: damaged recipes end in problems or in a recipe that reads back", () => {
  const damage = fc.record({
    at: fc.nat(Math.max(RECIPE.length, STAGES.length)),
    remove: fc.nat(12),
    insert: fc.oneof(tokens, fc.string({ maxLength: 5 })),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(RECIPE, STAGES),
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      (recipe, changes) => {
        let text = recipe;
        for (const { at, remove, insert } of changes) text = text.slice(0, at) + insert + text.slice(at + remove);
        holds(text);
      },
    ),
    { numRuns: 1500 },
  );
});

test("no text at all breaks the parser", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(tokens).map((list) => list.join("")),
      ),
      holds,
    ),
    { numRuns: 500 },
  );
});

test("names from objects' prototypes are unknown names like others", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(() => parseRecipe(`merge_method: ${name}\nmodels: [{model: a}]\n`, { fileName: "r" })).toThrow(
      /unknown merge method/,
    );
    expect(() => parseRecipe(`${RECIPE}${name}: 1\n`, { fileName: "r" })).toThrow(/unknown key/);
    const text = `merge_method: linear\nmodels: [{model: a, parameters: {weight: 1, ${name}: 1}}]\n`;
    expect(() => parseRecipe(text, { fileName: "r" })).toThrow(/has no parameter/);
  }
});
