/** What the models of a merge are weighted by, entry by entry, where its method wants something that accompanies each model. */
import { methodOf } from "./methods.ts";
import { partsOf } from "./parts.ts";
import type { FisherSection, MergeSettings, Recipe, RecipeModel, RecipeVariant, Setting } from "./types.ts";

/** The companion that can be estimated. */
export const FISHER = "fisher";

const CONDITIONED = { method: "task_arithmetic", parameter: "weight" };
const UNCHANGED = "linear";

export type Importance = "files" | "ones" | "estimated";

/** Where the companions come from that a merge of the recipe's own, or a row of its comparison, is made with. */
export function importanceOf({ fisher }: Pick<Recipe, "fisher">, role: RecipeVariant["role"]): Importance {
  if (fisher === undefined || fisher.estimate === "files") return "files";
  return fisher.estimate === "none" && role === "recipe" ? "ones" : "estimated";
}

const isWeighted = (merge: MergeSettings): boolean => methodOf(merge).companions.includes(FISHER);

/** The models whose importance some of the variants are merged with and nobody has, each once. */
export function estimatedModels(recipe: Pick<Recipe, "fisher">, variants: readonly RecipeVariant[]): RecipeModel[] {
  const models = new Map<string, RecipeModel>();
  for (const { role, merge } of variants) {
    if (!isWeighted(merge) || importanceOf(recipe, role) !== "estimated") continue;
    for (const model of merge.models) if (!models.has(model.path)) models.set(model.path, model);
  }
  return [...models.values()];
}

/** How many estimates a merge of the variant is made with. */
export const estimatesIn = (recipe: Pick<Recipe, "fisher">, { role, merge }: RecipeVariant): number =>
  isWeighted(merge) && importanceOf(recipe, role) === "estimated" ? merge.models.length : 0;

export interface ImportancePoint {
  readonly model: RecipeModel;
  /** What scales the model where its importance is estimated, 1 for the model itself; undefined: the importance is 1. */
  readonly scale: Setting | undefined;
}

/** For each model of a variant, whose coefficients are settled; empty where the variant asks for no importance, or has it in files. */
export function importancePoints(
  recipe: Pick<Recipe, "fisher">,
  { role, merge }: RecipeVariant,
): readonly ImportancePoint[] {
  const importance = importanceOf(recipe, role);
  if (!isWeighted(merge) || importance === "files") return [];
  if (importance === "ones") return merge.models.map((model) => ({ model, scale: undefined }));
  const parameter = conditionOf(recipe.fisher, role, merge);
  return merge.models.map((model) => ({
    model,
    scale: parameter === undefined ? 1 : scaleOf(merge, model, parameter),
  }));
}

function conditionOf(
  fisher: FisherSection | undefined,
  role: RecipeVariant["role"],
  merge: MergeSettings,
): string | undefined {
  return role === "recipe" && fisher?.estimate === "per_trial" ? methodOf(merge).conditionedOn : undefined;
}

function scaleOf(merge: MergeSettings, model: RecipeModel, parameter: string): Setting {
  const definition = methodOf(merge).parameters[parameter];
  const fallback = definition?.kind === "number" ? definition.default : undefined;
  const scale = model.parameters[parameter] ?? merge.parameters[parameter] ?? fallback;
  if (scale === undefined) throw new Error(`${parameter} of ${model.name} has no value`);
  return scale;
}

/** The model that an estimate is made of: base + scale (model - base), or the model where there is no base to scale it from. */
export function estimatedVariant(model: RecipeModel, base: string | undefined, scale: Setting): RecipeVariant {
  const { path, name } = model;
  const isScaled = base !== undefined && base !== path;
  const parameters = { [CONDITIONED.parameter]: isScaled ? scale : 1 };
  const merge: MergeSettings = {
    method: isScaled ? CONDITIONED.method : UNCHANGED,
    parameters: {},
    models: [{ path, name, companions: {}, parameters }],
  };
  return { name, role: "estimated", merge, parts: partsOf(merge, isScaled ? base : undefined) };
}
