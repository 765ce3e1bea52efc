import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseRecipe } from "../recipe/index.ts";
import { confirmSplit, explainPlan, explanationRows, loadPlanInputs, PlanProblems, planJob } from "./index.ts";

const golden = fileURLToPath(new URL("../../../tests/golden/mergekit/inputs/", import.meta.url));

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "amalgam-plan-"));
});
afterAll(() => rm(directory, { recursive: true }));

const parse = (text: string) => parseRecipe(text, { fileName: "recipe.yaml" });

async function problemsOf(text: string, baseDirectory: string): Promise<readonly string[]> {
  try {
    await loadPlanInputs(parse(text), baseDirectory);
  } catch (error) {
    if (error instanceof PlanProblems) return error.problems;
    throw error;
  }
  throw new Error("the inputs were loaded");
}

const TIES = `
merge_method: ties
base_model: base
models: [{model: expert1}, {model: expert2}]
parameters: {weight: 1, density: 0.5}
`;

test("checkpoints on disk make a plan that explains itself", async () => {
  const recipe = parse(TIES);
  const { headers, tasks } = await loadPlanInputs(recipe, golden);
  const plan = planJob({ recipe, headers });
  expect(tasks).toEqual([]);
  expect(plan.files.map(({ path }) => path.slice(golden.length))).toEqual(
    ["base", "expert1", "expert2"].flatMap((model) =>
      [1, 2].map((part) => `${model}/model-0000${part}-of-00002.safetensors`),
    ),
  );
  const explanation = explainPlan(plan, tasks);
  expect(explanation.totals.outputBytes * 3).toBe(explanation.totals.inputBytes);
  expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  expect(explanationRows(explanation).map(([label]) => label)).toEqual([
    "method",
    "base",
    "model",
    "model",
    "tensors",
    "read",
    "write",
    "shards",
    "memory",
  ]);
});

test("everything that is missing is reported at once, with the slot and the full path", async () => {
  const text = `
merge_method: fisher
models: [{model: expert1}, {model: gone, fisher: elsewhere}]
evaluate: {tasks: [no-task.yaml]}
`;
  expect(await problemsOf(text, golden)).toEqual([
    expect.stringMatching(/^gone: .*\/gone: does not exist \(paths are relative to the recipe; a model of the Hub/),
    expect.stringMatching(
      /^fisher of expert1: .*\/expert1\/fisher.safetensors: does not exist, and the merge needs it \(name the file with `fisher:`/,
    ),
    expect.stringMatching(/^fisher of gone: .*\/elsewhere: does not exist/),
    expect.stringMatching(/^no-task.yaml: cannot be read as a task: ENOENT/),
  ]);
});

test("tasks are read with their data, and the final table prefers the test split", async () => {
  await mkdir(join(directory, "tasks"));
  const task = (name: string, splits: string) => `name: ${name}\nsplits: {${splits}}\nlabels: [x, y]\n`;
  await writeFile(join(directory, "tasks/one.yaml"), task("one", "validation: v.jsonl, test: t.jsonl"));
  await writeFile(join(directory, "tasks/two.yaml"), task("two", "validation: v.jsonl"));
  await writeFile(join(directory, "tasks/v.jsonl"), "v\n");
  await writeFile(join(directory, "tasks/t.jsonl"), "t\n");
  await symlink(golden, join(directory, "models"));
  const recipe = (tasks: string) =>
    parse(
      `merge_method: linear\nmodels: [{model: models/base}]\nparameters: {weight: 1}\nevaluate: {tasks: [${tasks}]}\n`,
    );
  const one = recipe("tasks/one.yaml");
  const { tasks } = await loadPlanInputs(one, directory);
  expect(tasks).toMatchObject([{ name: "one", splits: ["validation", "test"] }]);
  expect([...(tasks[0]?.files.keys() ?? [])]).toEqual(["v.jsonl", "t.jsonl"]);
  expect(one.evaluate && confirmSplit(one.evaluate, tasks)).toBe("test");
  const both = recipe("tasks/one.yaml, tasks/two.yaml");
  const loaded = await loadPlanInputs(both, directory);
  expect(both.evaluate && confirmSplit(both.evaluate, loaded.tasks)).toBe("validation");
});

test("the passes of statistics across shards are told as a number that they do not exceed", async () => {
  const recipe = parse(TIES.replace("ties", "ties_official").replace("weight: 1, ", ""));
  const { headers } = await loadPlanInputs(recipe, golden);
  const rows = new Map(explanationRows(explainPlan(planJob({ recipe, headers }))));
  expect(rows.get("read")).toMatch(
    /per pass: 1 to merge, 1 for sums across shards, up to 9 for order statistics across shards \(3 of them over a sixteenth/,
  );
});

test("a task without the split, or with data outside of its folder, is refused", async () => {
  await writeFile(join(directory, "secret"), "s");
  await mkdir(join(directory, "bad"));
  await writeFile(join(directory, "bad/one.yaml"), "name: one\nsplits: {test: ../secret}\n");
  const text =
    "merge_method: linear\nmodels: [{model: base}]\nparameters: {weight: 1}\nevaluate: {tasks: [../bad/one.yaml]}\n";
  await symlink(join(golden, "base"), join(directory, "bad/base"));
  expect(await problemsOf(text, join(directory, "bad"))).toEqual([
    "../bad/one.yaml: ../secret: lies outside of the folder of the file that names it",
    "../bad/one.yaml: the task has no split `validation`, which the recipe names (it has test)",
  ]);
});

test("sources that are out of reach are no fault of the recipe, unless something else is", async () => {
  const models = (...paths: string[]) =>
    parse(
      `merge_method: linear\nmodels: [${paths.map((path) => `{ model: "${path}" }`).join()}]\nparameters: { weight: 1 }\n`,
    );
  // Nothing listens on port 9 of this machine.
  const away = "http://127.0.0.1:9/model";
  await expect(loadPlanInputs(models("base", away), golden)).rejects.toMatchObject({ code: "unavailable" });
  await expect(loadPlanInputs(models("nowhere", away), golden)).rejects.toMatchObject({
    code: "invalid_argument",
    problems: [expect.stringContaining("does not exist"), expect.stringContaining("cannot be read")],
  });
});
