// A greedy soup of real models, scored by the real evaluator: never worse than the best of them, and resumed after a kill.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { Program, run } from "../harness/program.ts";

const FAMILY = join(import.meta.dirname, "..", "..", "examples", "quickstart");
const EXPERTS = ["sentiment", "speech", "section"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-soup-"));
  const models = EXPERTS.map((name) => `  - { model: ${join(FAMILY, `expert-${name}`)}, name: ${name} }\n`).join("");
  const tasks = EXPERTS.map((name) => join(FAMILY, "tasks", `${name}.yaml`)).join(", ");
  const recipe = `merge_method: linear\nmodels:\n${models}evaluate: { tasks: [${tasks}] }\nsearch: { strategy: greedy_soup }\n`;
  await writeFile(join(folder, "recipe.yaml"), recipe);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface History {
  readonly recommended: { readonly candidateId: string; readonly coefficients: Record<string, number> };
  readonly candidates: readonly { readonly id: string; readonly role: string; readonly objective: number }[];
}

test("the soup is at least as good as its best model, is written as weights of 0 and 1, and survives a kill", async () => {
  const command = (out: string): string[] => ["search", join(folder, "recipe.yaml"), join(folder, out)];
  const { code, stderr, stdout } = await run(...command("soup"));
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("the greedy soup");
  const history = JSON.parse(await readFile(join(folder, "soup", "search.json"), "utf8")) as History;
  const trials = history.candidates.filter(({ role }) => role === "trial");
  expect(trials.map(({ id }) => id)).toEqual(["t0", "t1", "t2", "t3", "t4"]);
  const chosen = trials.find(({ id }) => id === history.recommended.candidateId)!;
  for (const { objective } of trials.slice(0, 3)) expect(chosen.objective).toBeGreaterThanOrEqual(objective);
  for (const weight of Object.values(history.recommended.coefficients)) expect([0, 1]).toContain(weight);
  expect(await readFile(join(folder, "soup", "amalgam-recipe.yaml"), "utf8")).not.toContain("search");

  {
    await using killed = new Program(command("again"));
    await killed.line("two trials had scores", (line) => /^trial \S+ \(2\/5\)/.test(line) || undefined);
    await killed.end("SIGKILL");
  }
  const resumed = await run(...command("again"));
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await digestsOf(join(folder, "again"))).toEqual(await digestsOf(join(folder, "soup")));
}, 300_000);
