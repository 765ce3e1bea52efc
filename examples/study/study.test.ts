// docs/results.md shows what examples/study/results.jsonl holds, and the study's recipes are recipes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseRecipe } from "../../coordinator/src/recipe/index.ts";
import { documentOf } from "./document.ts";
import { dfMerge, type Entry, rivals, shares, variants } from "./entries.ts";
import { familyNames, familyOf, repository } from "./families.ts";
import { recipeOf } from "./measure.ts";
import { readResults } from "./results.ts";
import { bestSoFar, lead, leadByItems, meanOf } from "./statistics.ts";

const entries: readonly Entry[] = [dfMerge, ...rivals, ...variants, ...shares];

test("the tables and pictures of docs/results.md are those of the results", async () => {
  for (const [path, text] of await documentOf(readResults(join(repository, "examples/study/results.jsonl")))) {
    expect(readFileSync(join(repository, path), "utf8"), `${path}: npx node examples/study/study.ts --table`).toBe(
      text,
    );
  }
});

test.each(familyNames)("every entry that searches is a recipe of the family %s", (family) => {
  for (const entry of entries.filter(({ coefficients }) => coefficients !== undefined)) {
    const made = recipeOf(familyOf(family, 0), entry, { tasks: ["a.yaml"], trials: 3, compare: [] });
    const recipe = parseRecipe(JSON.stringify(made), { fileName: entry.name });
    expect(recipe.search?.trials).toBe(3);
    expect(recipe.models).toHaveLength(familyOf(family, 0).tasks.length);
  }
});

test("names of entries are different", () => {
  expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
});

test("a lead is the mean of the seeds' differences, of the seeds that both have", () => {
  const row = (seed: number, mean: number) => ({ family: "text", seed, entry: "", scores: {}, mean });
  const ahead = { entry: "a", rows: [row(0, 0.8), row(1, 0.7), row(2, 0.9)] };
  const behind = { entry: "b", rows: [row(1, 0.6), row(0, 0.5)] };
  const { value, standardError } = lead(ahead, behind);
  expect(value).toBeCloseTo(0.2, 12);
  expect(standardError).toBeCloseTo(0.1, 12);
  expect(meanOf([0.5]).standardError).toBeNaN();
});

test("errors over items of several seeds are those of a mean", () => {
  const row = (difference: number, standardError: number) => ({
    ...{ family: "text", seed: 0, entry: "", scores: {}, mean: 0 },
    behind: { difference, standardError },
  });
  const pooled = leadByItems({ entry: "a", rows: [row(0.1, 0.03), row(0.3, 0.04)] })!;
  expect(pooled.value).toBeCloseTo(0.2, 12);
  expect(pooled.standardError).toBeCloseTo(0.025, 12);
  expect(leadByItems({ entry: "a", rows: [] })).toBeUndefined();
});

test("the best so far never falls", () => {
  expect(bestSoFar([0.5, 0.4, 0.7, 0.6])).toEqual([0.5, 0.5, 0.7, 0.7]);
});
