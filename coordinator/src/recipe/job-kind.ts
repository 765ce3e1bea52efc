/** What a recipe must have besides a merge method to be searched, or to be merged as it stands. */
import { leftToSearch } from "./coefficients.ts";
import { listed, RecipeProblems } from "./problems.ts";
import type { Recipe } from "./types.ts";

/** @throws RecipeProblems when the recipe cannot be a job of that kind */
export function requireJobKind(recipe: Recipe, kind: "merge" | "search", fileName: string): void {
  const message = kind === "search" ? searchProblem(recipe) : mergeProblem(recipe);
  if (message !== undefined) throw new RecipeProblems(fileName, [{ message }]);
}

function searchProblem(recipe: Recipe): string | undefined {
  const missing = (["search", "evaluate"] as const).filter((key) => recipe[key] === undefined);
  if (missing.length === 0) return undefined;
  const sections = missing.length > 1 ? "sections" : "section";
  return `a search needs the ${sections} ${listed(missing)}; \`amalgam merge\` merges with fixed parameters`;
}

function mergeProblem(recipe: Recipe): string | undefined {
  const missing = leftToSearch(recipe);
  if (missing.length === 0) return undefined;
  return `${listed(missing)} ${missing.length > 1 ? "have" : "has"} no value: give one, or find it with \`amalgam search\``;
}
