/** The groups of tensors that a coefficient has one value for each of: by layers, by kinds, or by both. */
import type { Coefficient, Condition, LayerSet } from "./types.ts";

/** Kind of the tensors that no filter of a coefficient matches. */
export const REST = "rest";

/** Some tensors: those of a condition that are of no group before. */
export interface CoefficientGroup {
  /** How the names of its coefficients end: `[layers 0-3][mlp]`; empty for the group of all tensors. */
  readonly label: string;
  readonly condition: Condition;
}

/** In the order in which conditions are tried; every tensor of a model whose layers are all covered is in one. */
export function groupsOf({
  layers,
  outside,
  tensors,
}: Pick<Coefficient, "layers" | "outside" | "tensors">): CoefficientGroup[] {
  const sets = layerSets(layers);
  const kinds = tensorKinds(tensors);
  const own =
    outside === undefined ? [] : [{ label: "[outside]", condition: { layers: { kind: "outside" } as const } }];
  const groups = sets.flatMap((set) =>
    kinds.map((kind) => ({
      label: `${set === undefined ? "" : `[${layerSetName(set)}]`}${kind === undefined ? "" : `[${kind.name}]`}`,
      condition: {
        ...(kind?.filter === undefined ? {} : { filter: kind.filter }),
        ...(set === undefined ? {} : { layers: set }),
      },
    })),
  );
  return [...own, ...groups];
}

function layerSets(layers: Coefficient["layers"]): (LayerSet | undefined)[] {
  if (layers === undefined) return [undefined];
  if (typeof layers !== "number") return layers.map((range) => ({ kind: "range", ...range }));
  return Array.from({ length: layers }, (_, index) => ({ kind: "share", part: index + 1, of: layers }));
}

function tensorKinds(
  tensors: Coefficient["tensors"],
): ({ readonly name: string; readonly filter?: string } | undefined)[] {
  if (tensors === undefined) return [undefined];
  const kinds = Object.entries(tensors).map(([name, filter]) => (filter === "*" ? { name } : { name, filter }));
  return kinds.some(({ filter }) => filter === undefined) ? kinds : [...kinds, { name: REST }];
}

function layerSetName(set: LayerSet): string {
  if (set.kind === "share") return `layers ${set.part}/${set.of}`;
  if (set.kind === "outside") return set.kind;
  return set.end === set.first + 1 ? `layer ${set.first}` : `layers ${set.first}-${set.end - 1}`;
}
