/** The coefficients of a search: their names, their box, and a recipe with values put in their places. */
import { methodOf } from "./methods.ts";
import type {
  Coefficient,
  MergeSettings,
  Recipe,
  RecipeModel,
  RecipeVariant,
  SearchDimension,
  Setting,
  Settings,
} from "./types.ts";

/** Names of one coefficient's dimensions: `weight[a]` for each model, or plain `lambda`. */
export function coefficientNames(coefficient: Coefficient, models: readonly RecipeModel[]): string[] {
  const { parameter, per } = coefficient;
  return per === "recipe" ? [parameter] : models.map((model) => `${parameter}[${model.name}]`);
}

/** The search space of a recipe, in a fixed order; empty without a search section. */
export function searchDimensions(recipe: Recipe): SearchDimension[] {
  return (recipe.search?.coefficients ?? []).flatMap((coefficient) =>
    coefficientNames(coefficient, recipe.models).map((name) => ({
      name,
      kind: "float" as const,
      low: coefficient.low,
      high: coefficient.high,
      scale: coefficient.scale,
    })),
  );
}

/**
 * The recipe that merges with these coefficients: values in the places of the searched parameters, and no search section.
 * `values` has every dimension of the search, or none at all, to keep what the recipe itself says (see `leftToSearch`).
 */
export function withCoefficients(recipe: Recipe, values: Readonly<Record<string, number>>): Recipe {
  const { search, ...rest } = recipe;
  return { ...rest, ...settled(recipe, search?.coefficients ?? [], values) };
}

/** The same for the recipe's own variant. Comparisons have no coefficients: they come back unchanged. */
export function variantWithCoefficients(
  recipe: Recipe,
  variant: RecipeVariant,
  values: Readonly<Record<string, number>>,
): RecipeVariant {
  if (variant.role !== "recipe") return variant;
  return { ...variant, merge: settled(variant.merge, recipe.search?.coefficients ?? [], values) };
}

/** Required parameters that only the search gives values to: without them, the recipe can be searched but not merged. */
export function leftToSearch(recipe: Recipe): string[] {
  const { parameters } = methodOf(recipe);
  return (recipe.search?.coefficients ?? [])
    .map(({ parameter }) => parameter)
    .filter((name) => {
      const definition = parameters[name];
      const given = (settings: Settings): boolean => Object.hasOwn(settings, name);
      if (definition?.kind !== "number" || definition.default !== undefined || given(recipe.parameters)) return false;
      return definition.scope === "global" || !recipe.models.every((model) => given(model.parameters));
    });
}

function settled(
  merge: MergeSettings,
  coefficients: readonly Coefficient[],
  values: Readonly<Record<string, number>>,
): MergeSettings {
  if (Object.keys(values).length === 0)
    return { method: merge.method, parameters: merge.parameters, models: merge.models };
  const parameters: Record<string, Setting> = { ...merge.parameters };
  const perModel = merge.models.map((model) => ({ ...model.parameters }) as Record<string, Setting>);
  for (const { parameter, per } of coefficients) {
    if (per === "recipe") {
      parameters[parameter] = coefficientValue(values, parameter);
      for (const settings of perModel) delete settings[parameter];
    } else {
      delete parameters[parameter];
      merge.models.forEach((model, index) => {
        const settings = perModel[index];
        if (settings !== undefined) settings[parameter] = coefficientValue(values, `${parameter}[${model.name}]`);
      });
    }
  }
  const models = merge.models.map((model, index) => ({ ...model, parameters: perModel[index] ?? {} }));
  return { method: merge.method, parameters, models };
}

function coefficientValue(values: Readonly<Record<string, number>>, name: string): number {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined || !Number.isFinite(value)) throw new Error(`coefficient ${name} has no value`);
  return value;
}
