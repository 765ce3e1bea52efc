import { expect, test } from "vitest";
import { parseRecipe } from "../recipe/index.ts";
import { estimateTasks } from "./estimate-tasks.ts";
import type { TaskInput } from "./tasks.ts";

const recipe = (fisher: string) =>
  parseRecipe(
    `merge_method: df_merge
base_model: ./base
models: [{ model: ./a, name: a }, { model: ./b, name: b }]
evaluate: { tasks: [a.yaml, b.yaml], split: validation }
fisher: ${fisher}
search: { trials: 3, coefficients: { weight: { low: 0, high: 1 } } }
`,
    { fileName: "recipe.yaml" },
  );
const task = (name: string, kind: string): TaskInput =>
  ({ name, path: `${name}.yaml`, kind, splits: ["validation"] }) as unknown as TaskInput;
const problemsOf = (kind: string, fisher: string): readonly string[] =>
  estimateTasks(recipe(fisher), [task("a", "classification"), task("b", kind)]).problems;

test.for(["classification", "image_classification", "multiple_choice", ""])(
  "answers of kind %s are gone through",
  (kind) => {
    for (const estimator of ["exact", "sampled", "empirical"])
      expect(problemsOf(kind, `{ estimator: ${estimator} }`)).toEqual([]);
  },
);

test.for(["perplexity", "generation"])("answers of kind %s are drawn, or the right ones", (kind) => {
  for (const estimator of ["sampled", "empirical"]) expect(problemsOf(kind, `{ estimator: ${estimator} }`)).toEqual([]);
  expect(problemsOf(kind, "{ items: 30 }")).toEqual([
    `fisher: b.yaml: answers of a ${kind} task are all texts, and no expectation over them can be exact: set \`estimator\` to sampled or empirical`,
  ]);
});

test("a command is refused, whatever the estimator", () => {
  expect(problemsOf("command", "{ estimator: sampled }")).toEqual([
    "fisher: b.yaml: a command cannot be differentiated: estimate on a task of another kind",
  ]);
});
