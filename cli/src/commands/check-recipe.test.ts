import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type CheckedRecipe, checkRecipe } from "./check-recipe.ts";

const quickstart = fileURLToPath(new URL("../../../examples/quickstart", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "amalgam-check-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function recipe(text: string): string {
  const path = join(directory, "recipe.yaml");
  writeFileSync(path, text);
  return path;
}

test("the quickstart's recipe may be searched, but has no weights to be merged with", async () => {
  const path = join(quickstart, "recipe.yaml");
  const { stages, name, baseDirectory } = await checkRecipe(path, { kind: "search" });
  const [{ plan, headers, tasks }] = stages;
  expect({ name, baseDirectory }).toEqual({ name: "recipe.yaml", baseDirectory: quickstart });
  expect(plan.shards.length).toBeGreaterThan(0);
  expect(headers.length).toBeGreaterThan(tasks.length);
  await expect(checkRecipe(path, { kind: "merge" })).rejects.toThrow("`weight` has no value");
});

test("problems of models and of tasks come together, each once", async () => {
  const path = recipe(
    "merge_method: linear\nmodels: [{ model: gone, parameters: { weight: 1 } }]\n" +
      "evaluate: { tasks: [gone.yaml], split: test }\n",
  );
  const problems = await checkRecipe(path).then(
    () => [],
    (error: { readonly problems: readonly string[] }) => error.problems,
  );
  expect(problems).toEqual([expect.stringContaining("gone.yaml"), expect.stringMatching(/^gone: .*does not exist/)]);
});

test("smaller shards are more shards", async () => {
  const path = join(quickstart, "recipe.yaml");
  const shards = ({ stages }: CheckedRecipe): number => stages[0].plan.shards.length;
  const [few, many] = await Promise.all([checkRecipe(path), checkRecipe(path, { shardBytes: 500_000 })]);
  expect(shards(many)).toBeGreaterThan(shards(few));
});
