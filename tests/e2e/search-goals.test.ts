// What a search is after, from the recipe to the report: experts, constraints, an early end, and a search that starts from another.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { createFamily, type Family } from "../harness/family.ts";
import { Program, run } from "../harness/program.ts";

const GOAL = "objective: worst, constraints: [{ every_task_loses_at_most: 0.3 }], start: [average], stop: auto";

interface Candidate {
  readonly id: string;
  readonly role: string;
  readonly origin?: string;
  readonly coefficients?: Readonly<Record<string, number>>;
}

interface History {
  readonly objective: string;
  readonly recommended: { readonly candidateId: string; readonly coefficients: Readonly<Record<string, number>> };
  readonly candidates: readonly Candidate[];
  readonly study: {
    readonly spec: { readonly constraints: readonly { readonly metric: string; readonly atLeast: number }[] };
    readonly events: readonly { readonly type: string }[];
  };
}

let family: Family;
let first: string;

const historyOf = async (out: string): Promise<History> =>
  JSON.parse(await readFile(join(out, "search.json"), "utf8")) as History;

async function search(recipe: string, out: string): Promise<string> {
  const { code, stdout, stderr } = await run("search", recipe, out);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** The family's recipe with other keys under `search`. */
async function recipeWith(name: string, keys: string): Promise<string> {
  const text = await readFile(family.recipe, "utf8");
  const path = join(family.directory, name);
  await writeFile(path, text.replace(/^search:\n[\s\S]*$/m, `search: { ${keys} }\n`));
  return path;
}

beforeAll(async () => {
  family = await createFamily({ items: 40 });
  first = await family.outputIn("first");
  await search(await recipeWith("goal.yaml", `trials: 4, ${GOAL}`), first);
}, 240_000);
afterAll(() => family?.[Symbol.asyncDispose]());

test("experts are scored before the search, on its split, and bound the tasks; the report and the table leave them out", async () => {
  const { objective, candidates, study } = await historyOf(first);
  expect(objective).toBe("accuracy on the worst task");
  expect(candidates.filter(({ role }) => role === "expert").map(({ id }) => id)).toEqual(["e0", "e1", "e2", "e3"]);
  expect(study.spec.constraints.map(({ metric }) => metric)).toEqual(family.tasks);
  for (const { atLeast } of study.spec.constraints) expect(atLeast).toBeGreaterThan(0);
  const trials = candidates.filter(({ role }) => role === "trial");
  expect(trials[0]).toMatchObject({ origin: "enqueued" });
  expect(new Set(Object.values(trials[0]!.coefficients!))).toEqual(new Set([0.25]));
  const report = await readFile(join(first, "report.html"), "utf8");
  expect(report).toContain("What the search has learned");
  expect(report).not.toContain(">expert<");
});

test("killed while its experts are scored, and again in the middle, the same command gives the same bytes", async () => {
  const recipe = await recipeWith("goal.yaml", `trials: 4, ${GOAL}`);
  const out = await family.outputIn("killed");
  for (const [what, seen] of [
    ["an expert was scored", /^validation, /],
    ["two trials were scored", /^trial \S+ \(2\/4\)/],
  ] as const) {
    await using killed = new Program(["search", recipe, out]);
    await killed.line(what, (line) => seen.test(line) || undefined);
    await killed.end("SIGKILL");
  }
  expect(await search(recipe, out)).toContain("going on with job");
  expect(await digestsOf(out)).toEqual(await digestsOf(first));
}, 240_000);

test("the study of a search can be shown, exported, and be the start of another, which tries its best point first", async () => {
  const shown = await run("study", "show", first, "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({ trials: 4, complete: 4, failed: 0, pending: 0 });
  expect((await run("study", "show", first)).stdout).toContain("share of the variation");
  const files: Record<string, string> = {};
  for (const format of ["jsonl", "optuna"]) {
    const exported = await run("study", "export", first, "--format", format);
    expect(exported.code, exported.stderr).toBe(0);
    files[format] = join(family.directory, `study.${format}`);
    await writeFile(files[format], exported.stdout);
  }
  const { study } = await historyOf(first);
  const [created, ...events] = (await readFile(files["jsonl"]!, "utf8")).trimEnd().split("\n");
  expect(JSON.parse(created!)).toMatchObject({ type: "create", spec: study.spec });
  expect(events.map((line) => JSON.parse(line) as { type: string })).toEqual(
    study.events.map((event) => expect.objectContaining(event)),
  );
  expect(JSON.parse(await readFile(files["optuna"]!, "utf8"))).toMatchObject({
    directions: ["MAXIMIZE", "MAXIMIZE"],
    metric_names: family.tasks,
    trials: [{ number: 0, state: "COMPLETE", params: { "weight[sentiment]": 0.25 } }, {}, {}, {}],
  });

  const outs: string[] = [];
  for (const earlier of [first, files["jsonl"]!, files["optuna"]!]) {
    const recipe = await recipeWith("next.yaml", `trials: 2, strategy: sobol, warm_start: ${earlier}`);
    const plan = await run("plan", recipe);
    expect(plan.code, plan.stderr).toBe(0);
    outs.push(await family.outputIn(`next-${outs.length}`));
    if (outs.length === 1) expect(await search(recipe, outs[0]!)).toContain(`4 trials of ${earlier} are known`);
  }
  const next = await historyOf(outs[0]!);
  expect(next.study.events.map(({ type }) => type)).toEqual([
    ...Array.from({ length: 3 }, () => "observe"),
    "enqueue",
    "ask",
    "ask",
    "tell",
    "tell",
  ]);
  const trials = next.candidates.filter(({ role }) => role === "trial");
  expect(trials.map(({ origin }) => origin)).toEqual(["enqueued", "sobol"]);
  const { candidates } = await historyOf(first);
  expect(candidates.map(({ coefficients }) => coefficients)).toContainEqual(trials[0]!.coefficients);
  expect(["t0", "t1"]).toContain(next.recommended.candidateId);
}, 240_000);

test("what a search cannot start from is one clear error", async () => {
  const problem = async (keys: string): Promise<string> => {
    const { code, stderr } = await run("plan", await recipeWith("bad.yaml", keys));
    expect(code).toBe(65);
    return stderr;
  };
  expect(await problem("warm_start: nowhere")).toContain(
    "`warm_start`: nowhere does not exist; name the output directory",
  );
  expect(await problem("warm_start: recipe.yaml")).toContain("recipe.yaml");
  const narrow = `warm_start: ${first}, coefficients: { weight: { low: 3, high: 4 } }`;
  expect(await problem(narrow)).toContain("none of its trials is a point of this search");
  expect(await problem("objective: { weights: { sentimint: 1 } }")).toContain("(did you mean `sentiment`?)");
  expect(await problem("constraints: [{ task: speech, at_least: 0.5 }]")).toContain(
    "names the task `speech`, which the recipe does not evaluate",
  );
  expect((await run("study", "show", family.directory)).stderr).toContain("it is not the output of a search");
});
