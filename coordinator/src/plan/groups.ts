/**
 * Which parts of a merge share a program: a group is one method with one set of options over the same slots, in every variant. Slices that
 * differ in layers and numbers only are of one group.
 */
import { buildGraph, type GraphSpec, type MergeGraph } from "@amalgam/kernels";
import type { Part, RecipeVariant } from "../recipe/index.ts";
import { methodOf } from "../recipe/methods.ts";
import { slotFinder } from "./slots.ts";
import type { PlannedGroup, PlannedVariant, Slot } from "./types.ts";

export interface Groups {
  readonly variants: readonly PlannedVariant[];
  /** By part of the recipe. */
  readonly groupOfPart: readonly number[];
}

/** The part of a variant that merges the tensors of the recipe's part `index`: whole models are one part, whatever the recipe's are. */
export function partOf({ parts }: RecipeVariant, index: number): Part {
  return (parts.length === 1 ? parts[0] : parts[index]) as Part;
}

/** `variants` are the recipe's own first; its parts are the job's. All compute in one way: `working`. */
export function groupParts(
  variants: readonly RecipeVariant[],
  slots: readonly Slot[],
  working: GraphSpec["working"],
): Groups {
  const [own] = variants;
  const find = slotFinder(slots);
  const graphs = new Map<string, MergeGraph>();
  const numbers = new Map<string, number>();
  const groups: PlannedGroup[][] = variants.map(() => []);
  const groupOfPart = (own?.parts ?? []).map((_, index) => {
    const specs = variants.map((variant) => groupSpec(variant, partOf(variant, index), working, find));
    const key = JSON.stringify(specs);
    const number = numbers.get(key) ?? numbers.size;
    if (numbers.has(key)) return number;
    numbers.set(key, number);
    specs.forEach(({ spec, slots: inputs }, variant) => {
      const graphKey = JSON.stringify(spec);
      const graph = graphs.get(graphKey) ?? buildGraph(spec);
      graphs.set(graphKey, graph);
      groups[variant]?.push({ spec, graph, slots: inputs });
    });
    return number;
  });
  return {
    variants: variants.map((variant, index) => ({ variant, groups: groups[index] as PlannedGroup[] })),
    groupOfPart,
  };
}

/** Slots of the graph's inputs: base (if it uses one), models in order, then each kind of companion for all models. */
function groupSpec(
  { merge }: RecipeVariant,
  { base, sources, options }: Part,
  working: GraphSpec["working"],
  find: ReturnType<typeof slotFinder>,
): Omit<PlannedGroup, "graph"> {
  const spec = { method: merge.method, models: sources.length, hasBase: base !== undefined, options, working };
  const checkpoints = [...(base === undefined ? [] : [base]), ...sources];
  const slots = [
    ...checkpoints.map(({ model }) => find.checkpoint(model.path)),
    ...methodOf(merge).companions.flatMap((kind) => sources.map(({ model }) => find.companion(kind, model.path))),
  ];
  return { spec, slots };
}
