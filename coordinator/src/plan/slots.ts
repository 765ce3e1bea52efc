/** The distinct inputs of a job, in the order of their slots. Paths are as the recipe writes them; `load.ts` opens them. */
import type { Recipe, RecipeModel } from "../recipe/index.ts";
import { FISHER, importanceOf, splitReference, variantsOf } from "../recipe/index.ts";
import { methodOf } from "../recipe/methods.ts";
import type { Slot } from "./types.ts";

/** The base, the models, then what the variants' methods need beside each model. A checkpoint that appears twice has one slot. */
export function slotsOf(recipe: Recipe): Slot[] {
  const variants = variantsOf(recipe);
  const models = new Map<string, Slot>();
  if (recipe.base !== undefined)
    models.set(recipe.base, { kind: "base", name: "base", path: recipe.base, named: true });
  const merged = variants.flatMap(({ merge, parts }) => [
    ...merge.models,
    ...parts.flatMap(({ base, sources }) =>
      [...sources, ...(base === undefined ? [] : [base])].map(({ model }) => model),
    ),
  ]);
  for (const { path, name } of merged) {
    if (!models.has(path)) models.set(path, { kind: "model", name, path, named: true });
  }
  const companions = new Map<string, Slot>();
  const isGiven = (kind: string): boolean => kind === FISHER && importanceOf(recipe, "recipe") !== "files";
  const slotOf = (kind: string, model: RecipeModel): Slot =>
    isGiven(kind) ? givenSlot(kind, model) : companionSlot(kind, model);
  for (const { merge } of variants) {
    for (const kind of methodOf(merge).companions) {
      for (const model of merge.models) companions.set(companionKey(kind, model.path), slotOf(kind, model));
    }
  }
  return [...models.values(), ...companions.values()];
}

/** Numbers of slots by what is in them. */
export function slotFinder(slots: readonly Slot[]): {
  checkpoint(path: string): number;
  companion(kind: string, modelPath: string): number;
} {
  const checkpoints = new Map<string, number>();
  const companions = new Map<string, number>();
  slots.forEach(({ kind, path, companion }, slot) => {
    if (companion !== undefined) companions.set(companionKey(companion.kind, companion.modelPath), slot);
    else if (kind !== "companion") checkpoints.set(path, slot);
  });
  const found = (slot: number | undefined, what: string): number => {
    if (slot === undefined) throw new Error(`the job has no slot for ${what}`);
    return slot;
  };
  return {
    checkpoint: (path) => found(checkpoints.get(path), path),
    companion: (kind, path) => found(companions.get(companionKey(kind, path)), `the ${kind} of ${path}`),
  };
}

function companionSlot(kind: string, model: RecipeModel): Slot {
  const written = model.companions[kind];
  return {
    kind: "companion",
    name: `${kind} of ${model.name}`,
    path: written ?? `${directoryOf(model.path)}/${companionFile(kind)}`,
    companion: { kind, modelPath: model.path },
    named: written !== undefined,
  };
}

function givenSlot(kind: string, model: RecipeModel): Slot {
  const name = `${kind} of ${model.name}`;
  return { kind: "companion", name, path: name, companion: { kind, modelPath: model.path }, named: false, given: true };
}

/** Where a model's companion is by default: in the model's own folder, under this name. */
export const companionFile = (kind: string): string => `${kind}.safetensors`;

const companionKey = (kind: string, modelPath: string): string => `${kind} ${modelPath}`;

/** Where a model's own files are: those of an adapter are not the base's. */
function directoryOf(reference: string): string {
  const { base, adapter } = splitReference(reference);
  return adapter ?? base;
}
