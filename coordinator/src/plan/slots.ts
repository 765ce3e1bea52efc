/** The distinct inputs of a job, in the order of their slots. Paths are as the recipe writes them; `load.ts` opens them. */
import { join } from "node:path";
import type { Recipe, RecipeModel, RecipeVariant } from "../recipe/index.ts";
import { splitReference, variantsOf } from "../recipe/index.ts";
import { methodOf } from "../recipe/methods.ts";
import type { Slot } from "./types.ts";

/** The base, the models, then what the variants' methods need beside each model. A checkpoint that appears twice has one slot. */
export function slotsOf(recipe: Recipe): Slot[] {
  const variants = variantsOf(recipe);
  const models = new Map<string, Slot>();
  if (recipe.base !== undefined)
    models.set(recipe.base, { kind: "base", name: "base", path: recipe.base, named: true });
  for (const { path, name } of variants.flatMap(({ merge }) => merge.models)) {
    if (!models.has(path)) models.set(path, { kind: "model", name, path, named: true });
  }
  const companions = new Map<string, Slot>();
  for (const { merge } of variants) {
    for (const kind of methodOf(merge).companions) {
      for (const model of merge.models) companions.set(companionKey(kind, model), companionSlot(kind, model));
    }
  }
  return [...models.values(), ...companions.values()];
}

/** Slots of a variant's graph inputs: base (if it uses one), models in order, then each kind of companion for all models. */
export function variantSlots(variant: RecipeVariant, slots: readonly Slot[]): number[] {
  const { merge, base } = variant;
  const checkpoint = (path: string): number =>
    slots.findIndex((slot) => slot.kind !== "companion" && slot.path === path);
  return [
    ...(base === undefined ? [] : [checkpoint(base)]),
    ...merge.models.map(({ path }) => checkpoint(path)),
    ...methodOf(merge).companions.flatMap((kind) =>
      merge.models.map(({ path }) =>
        slots.findIndex(({ companion }) => companion?.kind === kind && companion.modelPath === path),
      ),
    ),
  ];
}

function companionSlot(kind: string, model: RecipeModel): Slot {
  const written = model.companions[kind];
  return {
    kind: "companion",
    name: `${kind} of ${model.name}`,
    path: written ?? join(directoryOf(model.path), `${kind}.safetensors`),
    companion: { kind, modelPath: model.path },
    named: written !== undefined,
  };
}

const companionKey = (kind: string, model: RecipeModel): string => `${kind} ${model.path}`;

/** Where a model's own files are: those of an adapter are not the base's. */
function directoryOf(reference: string): string {
  const { base, adapter } = splitReference(reference);
  return adapter ?? base;
}
