import { expect, test } from "vitest";
import { estimateTasks } from "./estimate-tasks.ts";
import { givenHeader } from "./given.ts";
import { explainPlan, explanationRows, planJob } from "./index.ts";
import type { TaskInput } from "./tasks.ts";
import { syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";
import type { SlotHeader } from "./types.ts";

const recipe = (fisher: string, more = ""): string => `merge_method: df_merge
base_model: base
models: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.25}}]
evaluate: {tasks: [x.yaml, y.yaml]}
fisher: ${fisher}
${more}`;

const task = (path: string, name: string, more: Partial<TaskInput> = {}): TaskInput => ({
  ...{ name, kind: "classification", path, yaml: "", splits: ["validation", "dev"], files: new Map() },
  ...more,
});

const SPECS = [
  { name: "embed.weight", dtype: "F16", shape: [40, 8] },
  { name: "layers.0.weight", dtype: "F16", shape: [8, 8] },
  { name: "position_ids", dtype: "I64", shape: [1, 16] },
] as const;

function job(fisher: string, more = "") {
  const { recipe: parsed, headers } = syntheticJob(recipe(fisher, more), (path) =>
    syntheticCheckpoint(path, [...SPECS]),
  );
  const given = headers.map((header): SlotHeader => (header.slot.given ? givenHeader(header.slot, headers) : header));
  return { recipe: parsed, headers: given };
}

const tasksOf = (fisher: string, inputs: readonly TaskInput[]) => estimateTasks(job(fisher).recipe, inputs);

test("a model is estimated on the task that the recipe says, that of its name, or the one in its place", () => {
  const [x, y] = [task("x.yaml", "x"), task("y.yaml", "y")];
  expect(tasksOf("{}", [x, y])).toEqual({ tasks: ["x", "y"], split: "validation", problems: [] });
  expect(tasksOf("{}", [task("x.yaml", "b"), task("y.yaml", "a")]).tasks).toEqual(["a", "b"]);
  expect(tasksOf("{split: dev, tasks: {a: y.yaml}}", [x, y])).toEqual({
    tasks: ["y", "y"],
    split: "dev",
    problems: [],
  });
});

test("a model without a task, a split that is not there, and a task without answers are told with what to do", () => {
  // One model has a task of its name: places say nothing of the other.
  expect(tasksOf("{}", [task("x.yaml", "a"), task("y.yaml", "y")]).problems).toEqual([
    "fisher: model `b` has no task to estimate its importance on: name one, as in `tasks: { b: x.yaml }` (tasks: `x.yaml`, `y.yaml`)",
  ]);
  const inputs = [task("x.yaml", "a", { splits: ["test"] }), task("y.yaml", "b", { kind: "perplexity" })];
  expect(tasksOf("{}", inputs).problems).toEqual([
    "fisher: x.yaml: the task has no split `validation` to estimate on (it has test): name one with `split`",
    "fisher: y.yaml: answers of a perplexity task are all texts, and no expectation over them can be exact: set `estimator` to sampled or empirical",
  ]);
});

const problemsOf = (kind: string, fisher: string): readonly string[] =>
  tasksOf(fisher, [task("x.yaml", "a"), task("y.yaml", "b", { kind })]).problems;

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
    `fisher: y.yaml: answers of a ${kind} task are all texts, and no expectation over them can be exact: set \`estimator\` to sampled or empirical`,
  ]);
});

test("a command is refused, whatever the estimator", () => {
  expect(problemsOf("command", "{ estimator: sampled }")).toEqual([
    "fisher: y.yaml: a command cannot be differentiated: estimate on a task of another kind",
  ]);
});

test("importance that is estimated lies in no file, and what is copied has none", () => {
  const plan = planJob(job("{}", "exclude: [embed]\n"));
  expect(plan.files.map(({ path }) => path.split("/")[0])).toEqual(["base", "a", "b"]);
  const segments = plan.shards.flatMap((shard) => shard.segments);
  const givenOf = (tensor: string): (boolean | undefined)[] =>
    segments.find((segment) => segment.tensor === tensor)!.inputs.map(({ given }) => given);
  expect(givenOf("layers.0.weight")).toEqual([false, false, false, true, true]);
  for (const copied of ["embed.weight", "position_ids"]) expect(givenOf(copied)).not.toContain(true);
  const roles = plan.variants.map(({ variant }) => `${variant.role} ${variant.merge.method} ${variant.name}`);
  expect(roles).toEqual(["recipe df_merge df_merge", "estimated task_arithmetic a", "estimated task_arithmetic b"]);
});

test("a plan says what is estimated, on which items, and what it takes", () => {
  const inputs = [task("x.yaml", "x"), task("y.yaml", "y")];
  const rowsOf = (fisher: string): Map<string, string> =>
    new Map(explanationRows(explainPlan(planJob(job(fisher)), inputs)));
  const rows = rowsOf("{items: 8, parts: 2}");
  expect(rows.get("importance")).toContain("at each candidate's coefficients: 2 estimates for each candidate");
  expect(rows.get("estimates")).toBe(
    "exact, on up to 8 items in 2 parts of each model's task (validation); 3.07 kB each, held by evaluators",
  );
  expect(rows.get("estimated")).toBe("b on y");
  expect(rowsOf("{estimate: once}").get("importance")).toBe("Fisher information at the models: 2 estimates in all");
  expect(rowsOf("{estimate: none}").get("importance")).toBe("none: every weight counts the same");
});
