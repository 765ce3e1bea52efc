// The search over layers of docs/recipes.md: planned, run from coarse to fine, published, and merged again from what was published.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFamily } from "../harness/family.ts";
import { run } from "../harness/program.ts";
import { blocksOf } from "./markdown.ts";

interface Candidate {
  readonly role: string;
  readonly stage: string;
  readonly coefficients: Readonly<Record<string, number>>;
}

test("the search over layers of docs/recipes.md goes from coarse to fine, and what it publishes gives the same bytes again", async () => {
  await using family = await createFamily({ items: 20 });
  const [block, ...more] = blocksOf("docs/recipes.md").filter(({ note }) => note === "run: a search over layers");
  expect(more).toEqual([]);
  const recipe = join(family.directory, "layers.yaml");
  // The page's search with a tenth of its trials.
  const text = block!.text.replace("trials: 60", "trials: 8").replace("scale: 6, model: 18", "scale: 3, model: 2");
  writeFileSync(recipe, text);
  const plan = await run("plan", recipe);
  expect(plan.code, plan.stderr).toBe(0);
  expect(plan.stdout).toContain("weight[section][layers 2/3] in [0, 1]: 16 tensors (layer 1), 198,");
  expect(plan.stdout).toContain("lambda[head] in [0.5, 1.5]: 2 tensors, ");

  const out = await family.outputIn("searched");
  const search = await run("search", recipe, out, "--json");
  expect(search.code, search.stderr).toBe(0);
  const { done } = JSON.parse(search.stdout.trim().split("\n").at(-1)!) as { done: { candidates: Candidate[] } };
  const trials = done.candidates.filter(({ role }) => role === "trial");
  expect(trials.map(({ stage }) => stage)).toEqual(["scale", "scale", "scale", "model", "model", "", "", ""]);
  const distinct = ({ coefficients }: Candidate, stem: string): number =>
    new Set(Object.entries(coefficients).flatMap(([name, value]) => (name.startsWith(stem) ? [value] : []))).size;
  expect(trials.slice(0, 3).map((trial) => distinct(trial, "weight"))).toEqual([1, 1, 1]);
  for (const trial of trials.slice(3, 5)) expect(distinct(trial, "weight[section]")).toBe(1);
  expect(trials.slice(5).some((trial) => distinct(trial, "weight[section]") > 1)).toBe(true);

  expect(readFileSync(join(out, "amalgam-recipe.yaml"), "utf8")).toContain("layers: 2/3");
  const again = await family.outputIn("again");
  const published = join(family.directory, "published.yaml");
  writeFileSync(published, readFileSync(join(out, "amalgam-recipe.yaml")));
  const merged = await run("merge", published, again);
  expect(merged.code, merged.stderr).toBe(0);
  const weights = (folder: string): Buffer => readFileSync(join(folder, "model.safetensors"));
  expect(weights(again).equals(weights(out))).toBe(true);
}, 180_000);
