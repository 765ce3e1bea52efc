/**
 * Where each tensor's random numbers begin in mergekit's sequence: it draws them tensor by tensor, in the order of their names, and in
 * a tensor model by model, one for each element.
 */
import { drawingStreams } from "@amalgam/kernels";
import type { RecipeVariant } from "../recipe/index.ts";
import { partOf } from "./groups.ts";
import { type DrawOffsets, scalarReaders } from "./scalar-readers.ts";
import type { Plan, PlannedGroup, PlannedTensor, PlannedVariant } from "./types.ts";

const known = new WeakMap<RecipeVariant, DrawOffsets>();

/** Found once for a variant whose coefficients are settled: it takes all tensors to say where those of one begin. */
export function drawOffsets(plan: Plan, planned: PlannedVariant, variant: RecipeVariant): DrawOffsets {
  const found = known.get(variant) ?? findOffsets(plan, planned, variant);
  known.set(variant, found);
  return found;
}

function findOffsets(plan: Plan, { groups }: PlannedVariant, variant: RecipeVariant): DrawOffsets {
  if (groups.every(({ graph }) => graph.draws.length === 0)) return () => 0;
  const parts = new Map<number, (tensor: PlannedTensor) => number[]>();
  const drawing = (tensor: PlannedTensor): number[] => {
    const { part, group } = tensor;
    const streams =
      parts.get(part) ?? streamsOf(groups[group] as PlannedGroup, partOf(variant, part), plan.recipe.seed);
    parts.set(part, streams);
    return streams(tensor);
  };
  const merged = plan.tensors
    .filter(({ action }) => action === "merge")
    .map((tensor) => ({ tensor, label: labelOf(tensor, groups[tensor.group] as PlannedGroup) }));
  const offsets = new Map<string, ReadonlyMap<number, number>>();
  let drawn = 0;
  for (const { tensor } of merged.toSorted((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0))) {
    const starts = new Map<number, number>();
    for (const stream of drawing(tensor)) {
      starts.set(stream, drawn);
      drawn += tensor.elements;
    }
    offsets.set(tensor.name, starts);
  }
  return (tensor, stream) => offsets.get(tensor)?.get(stream) ?? 0;
}

function streamsOf(
  group: PlannedGroup,
  part: Parameters<typeof scalarReaders>[1],
  seed: number,
): (tensor: PlannedTensor) => number[] {
  const readers = scalarReaders(group, part, seed);
  return (tensor) =>
    drawingStreams(
      group.graph,
      Object.fromEntries(readers.map(({ name, read }) => [name, read(tensor) ?? Number.NaN])),
    );
}

/** What mergekit orders tensors by: the last of the names that a tensor has in the models it is merged from. */
function labelOf({ name, inputNames }: PlannedTensor, { slots }: PlannedGroup): string {
  return slots.map((slot) => inputNames?.[slot] ?? name).reduce((a, b) => (a > b ? a : b), "");
}
