/** The coefficients of a search: their names, their box, and a recipe with values put in their places. */
import type { Dimension } from "@amalgam/optimizer";
import { type CoefficientGroup, groupsOf } from "./coefficient-groups.ts";
import { methodOf } from "./methods.ts";
import { givenAt, mapSettings, partsOf } from "./parts.ts";
import type {
  Coefficient,
  Conditional,
  MergeSettings,
  Recipe,
  RecipeModel,
  RecipeVariant,
  SearchDimension,
  Settings,
  SettingValue,
} from "./types.ts";

/** Names of one coefficient's dimensions: `weight[a]` for each model or plain `lambda`, and `weight[a][layers 1/4]` for each group. */
export function coefficientNames(coefficient: Coefficient, models: readonly RecipeModel[]): string[] {
  return coefficientNamesByModel(coefficient, models).flat();
}

/** The same as a list for each model, or one for the recipe. */
export function coefficientNamesByModel(coefficient: Coefficient, models: readonly RecipeModel[]): string[][] {
  const owners = coefficient.per === "recipe" ? [undefined] : models.map(({ name }) => name);
  const groups = groupsOf(coefficient);
  return owners.map((model) => groups.map((group) => coefficientName(coefficient, model, group)));
}

const coefficientName = ({ parameter }: Coefficient, model: string | undefined, { label }: CoefficientGroup): string =>
  `${parameter}${model === undefined ? "" : `[${model}]`}${label}`;

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

/** The same as the optimizer takes it: values that add up to 1 are one dimension. */
export function studyDimensions(recipe: Recipe): Dimension[] {
  const simplexes = (recipe.search?.coefficients ?? []).filter(({ simplex }) => simplex === true);
  const shares = simplexes.map((coefficient): Dimension => {
    return { name: coefficient.parameter, kind: "simplex", members: coefficientNames(coefficient, recipe.models) };
  });
  const members = new Set(shares.flatMap((share) => (share.kind === "simplex" ? share.members : [])));
  return [...shares, ...searchDimensions(recipe).filter(({ name }) => !members.has(name))];
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
  const merge = settled(variant.merge, recipe.search?.coefficients ?? [], values);
  return { ...variant, merge, parts: partsOf(merge, recipe.base) };
}

/** Required parameters that only the search gives values to: without them, the recipe can be searched but not merged. */
export function leftToSearch(recipe: Recipe): string[] {
  const { parameters } = methodOf(recipe);
  const parts = partsOf(recipe, recipe.base);
  return (recipe.search?.coefficients ?? [])
    .map(({ parameter }) => parameter)
    .filter((name) => {
      const definition = parameters[name];
      if (definition?.kind !== "number" || definition.default !== undefined) return false;
      return parts.some(({ sources, levels }) => {
        if (givenAt(name, levels) !== undefined) return false;
        return definition.scope === "global" || !sources.every((source) => Object.hasOwn(source.parameters, name));
      });
    });
}

function settled(
  merge: MergeSettings,
  coefficients: readonly Coefficient[],
  values: Readonly<Record<string, number>>,
): MergeSettings {
  const { method, models, modules } = merge;
  if (Object.keys(values).length === 0) {
    return { method, parameters: merge.parameters, models, ...(modules === undefined ? {} : { modules }) };
  }
  const shared = (settings: Settings): Settings => {
    const kept = Object.entries(settings).filter(([name]) => !coefficients.some(({ parameter }) => parameter === name));
    return Object.fromEntries(kept);
  };
  const names = new Map(models.map(({ path, name }) => [path, name]));
  /** The settings of a model, which may stand at several slices: all get the same value. */
  const own = (settings: Settings, path: string): Settings => {
    const name = names.get(path);
    const searched = coefficients
      .filter(({ per }) => per === "model" && name !== undefined)
      .map((coefficient) => [coefficient.parameter, foundSetting(coefficient, name, values)]);
    return { ...shared(settings), ...Object.fromEntries(searched) };
  };
  const settledModels =
    modules === undefined
      ? { models: models.map((model) => ({ ...model, parameters: own(model.parameters, model.path) })) }
      : { models, modules: mapSettings(modules, shared, own) };
  const ofRecipe = coefficients
    .filter(({ per }) => per === "recipe")
    .map((coefficient) => [coefficient.parameter, foundSetting(coefficient, undefined, values)]);
  return { method, parameters: { ...shared(merge.parameters), ...Object.fromEntries(ofRecipe) }, ...settledModels };
}

/** One number, or one for each group of tensors. */
function foundSetting(
  coefficient: Coefficient,
  model: string | undefined,
  values: Readonly<Record<string, number>>,
): SettingValue | readonly Conditional[] {
  const found = groupsOf(coefficient).map((group) => ({
    ...group.condition,
    value: coefficientValue(values, coefficientName(coefficient, model, group)),
  }));
  const [first] = found;
  return first !== undefined && first.filter === undefined && first.layers === undefined ? first.value : found;
}

function coefficientValue(values: Readonly<Record<string, number>>, name: string): number {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined || !Number.isFinite(value)) throw new Error(`coefficient ${name} has no value`);
  return value;
}
