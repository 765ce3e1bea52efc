/** Settings that leave a tensor without a number, or a statistic over the whole model without one meaning. */
import type { Recipe } from "../recipe/index.ts";
import { partOf } from "./groups.ts";
import { TensorRemarks } from "./problems.ts";
import { isConstant, scalarReaders } from "./scalar-readers.ts";
import type { PlannedTensor, PlannedVariant } from "./types.ts";

/** What settings depend on. */
export type PlacedTensor = Pick<
  PlannedTensor,
  "name" | "action" | "elements" | "depth" | "layer" | "part" | "group" | "reference" | "inputNames"
>;

/** Filters may leave a tensor without a value: better said now than when its turn comes. */
export function settingProblems(
  recipe: Recipe,
  variants: readonly PlannedVariant[],
  tensors: readonly PlacedTensor[],
): string[] {
  const remarks = new TensorRemarks();
  const others = new Set<string>();
  const searched = new Set(recipe.search?.coefficients.map(({ parameter }) => parameter) ?? []);
  const merged = tensors.filter(({ action }) => action === "merge");
  const byPart = Map.groupBy(merged, ({ part }) => part);
  for (const planned of variants) {
    const { variant, groups } = planned;
    const isSearched = (name: string): boolean =>
      variant.role === "recipe" && searched.has(name.replace(/\[\d+\]$/, ""));
    const { method } = variant.merge;
    const isArtefact = groups.some(({ spec }) => spec.masks !== undefined);
    if (
      !isArtefact &&
      groups.length > 1 &&
      groups.some(({ graph }) => graph.stages.some(({ scope }) => scope === "model"))
    ) {
      others.add(
        `method \`${method}\` takes statistics over whole models: all slices and modules must merge the same models with the same options`,
      );
    }
    const constants = new Map<string, number>();
    for (const [part, members] of byPart) {
      // All groups of an artefact are made of the same tensors.
      const merging = isArtefact ? groups : groups.slice(members[0]?.group ?? 0).slice(0, 1);
      const readers = merging.flatMap((group) =>
        scalarReaders(group, partOf(variant, part), recipe.seed).map((reader) => {
          return { ...reader, constant: isConstant(group, reader.name) };
        }),
      );
      for (const { name, read, unset, constant } of readers) {
        if (isSearched(name)) continue;
        for (const tensor of members) {
          const value = read(tensor);
          if (value === undefined) remarks.add(unset, tensor.name);
          else if (constant && value !== (constants.get(name) ?? value)) others.add(differs(method, name));
          if (constant && value !== undefined) constants.set(name, value);
        }
      }
    }
  }
  return [...remarks.lines(), ...others];
}

const differs = (method: string, name: string): string =>
  `method \`${method}\`: \`${name.replace(/\[\d+\]$/, "")}\` has other values in other slices, but a statistic over the whole model depends on it`;
