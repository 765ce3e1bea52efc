/** The merges of a job: the recipe's own, one for each row of its comparison, and the models that the search is measured against or weighs. The program that searches knows only of variants. */
import { estimatedModels, estimatedVariant } from "./importance.ts";
import { partsOf, plainModel } from "./parts.ts";
import { needsExperts } from "./search-goal.ts";
import type { MergeSettings, Recipe, RecipeModel, RecipeVariant } from "./types.ts";

/** Name of the row of the unmerged base. */
export const BASE_ROW = "base";

/** A method that returns its only model unchanged, for the rows of unmerged checkpoints. */
const IDENTITY = "linear";

/** The recipe's own variant first, then the comparison in the order of its rows, the models that are experts of the search, and those whose importance is estimated. */
export function variantsOf(recipe: Recipe): RecipeVariant[] {
  const { method, parameters, models, modules, base, search, evaluate } = recipe;
  const name = search === undefined ? method : `${method} (searched)`;
  const merge = { method, parameters, models, ...(modules === undefined ? {} : { modules }) };
  const variants = [variant(name, "recipe", merge, base)];
  for (const comparison of evaluate?.compare ?? []) {
    if (comparison.kind === "method") {
      variants.push(variant(comparison.name, "comparison", comparison.merge, base));
      continue;
    }
    if (base !== undefined) variants.push(unmerged({ ...plainModel(base), name: BASE_ROW }, "comparison"));
    for (const model of models) if (model.path !== base) variants.push(unmerged(model, "comparison"));
  }
  const estimated = estimatedModels(recipe, variants).map((model) => estimatedVariant(model, base, 1));
  const experts = search !== undefined && needsExperts(search) ? models.filter(({ path }) => path !== base) : [];
  return [...variants, ...experts.map((model) => unmerged(model, "expert")), ...estimated];
}

/** Message when two rows of the final table would have the same name. */
export function variantNameClash(recipe: Recipe): string | undefined {
  const names = new Set<string>();
  for (const { name, role } of variantsOf(recipe)) {
    if (role === "expert" || role === "estimated") continue;
    if (names.has(name)) return `two rows of the comparison are named \`${name}\`: give one of them another \`name\``;
    names.add(name);
  }
  return undefined;
}

function unmerged(model: RecipeModel, role: RecipeVariant["role"]): RecipeVariant {
  const merge = { method: IDENTITY, parameters: {}, models: [{ ...model, parameters: { weight: 1 } }] };
  return variant(model.name, role, merge, undefined);
}

function variant(
  name: string,
  role: RecipeVariant["role"],
  merge: MergeSettings,
  base: string | undefined,
): RecipeVariant {
  return { name, role, merge, parts: partsOf(merge, base) };
}
