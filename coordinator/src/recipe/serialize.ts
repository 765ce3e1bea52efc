/** The canonical text of a recipe: what the manifest and the model card show, and what `parseRecipe` reads back as the same recipe. */
import { torchDTypeName } from "@amalgam/checkpoint";
import { stringify } from "yaml";
import type { Comparison, Recipe, RecipeModel, Setting, Settings } from "./types.ts";

/** YAML text; keys in a fixed order, so that equal recipes have equal texts. */
export function stringifyRecipe(recipe: Recipe): string {
  return stringify(recipeDocument(recipe), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The same as plain JSON data. */
export function recipeDocument(recipe: Recipe): Record<string, unknown> {
  const { method, base, models, parameters, dtype, outDtype, exclude, seed, evaluate, search } = recipe;
  return defined({
    merge_method: method,
    base_model: base,
    models: models.map(modelDocument),
    parameters: settingsDocument(parameters),
    dtype: dtype && torchDTypeName(dtype),
    out_dtype: outDtype && torchDTypeName(outDtype),
    exclude: exclude.length === 0 ? undefined : exclude,
    seed,
    evaluate:
      evaluate &&
      defined({
        tasks: evaluate.tasks,
        split: evaluate.split,
        confirm: evaluate.confirm,
        objective: evaluate.objective,
        compare: evaluate.compare.length === 0 ? undefined : evaluate.compare.map(comparisonDocument),
      }),
    search:
      search &&
      defined({
        trials: search.trials,
        parallel: search.parallel,
        coefficients: Object.fromEntries(search.coefficients.map(({ parameter, ...box }) => [parameter, box])),
        start: search.start.length === 0 ? undefined : search.start,
      }),
  });
}

function modelDocument({ path, name, parameters, companions }: RecipeModel): Record<string, unknown> {
  return defined({ model: path, name, ...companions, parameters: settingsDocument(parameters) });
}

function comparisonDocument(comparison: Comparison): unknown {
  if (comparison.kind === "models") return "models";
  const { method, parameters, models } = comparison.merge;
  const weights = models.flatMap((model) => {
    const weight: Setting | undefined = model.parameters["weight"];
    return weight === undefined ? [] : [[model.name, weight] as const];
  });
  return defined({
    name: comparison.name,
    merge_method: method,
    parameters: settingsDocument(parameters),
    weights: weights.length === 0 ? undefined : Object.fromEntries(weights),
  });
}

function settingsDocument(settings: Settings): Settings | undefined {
  const names = Object.keys(settings).toSorted();
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, settings[name] as Setting]));
}

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
