/** The numbers of a merge, tensor by tensor: as rows of values for the workers, and by name for the statistics. */
import { type ScalarRow, ScalarRowSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import { type RecipeVariant, variantWithCoefficients } from "../recipe/index.ts";
import { drawOffsets } from "./draws.ts";
import { partOf } from "./groups.ts";
import { type ScalarReader, scalarReaders } from "./scalar-readers.ts";
import type { Plan, PlannedGroup, PlannedTensor, PlannedVariant } from "./types.ts";

/** Coefficients of a search by name, e.g. `weight[a]`. */
export type Coefficients = Readonly<Record<string, number>>;

/**
 * One row for each segment of the shard: the values of its graph's parameters, in their order. Rows of copied tensors are empty.
 * `coefficients` are for the recipe's own variant of a search.
 */
export function scalarRows(
  plan: Plan,
  planned: PlannedVariant,
  coefficients: Coefficients = {},
): (shard: number) => ScalarRow[] {
  const resolve = scalarResolver(plan, planned, coefficients);
  return (shard) =>
    (plan.shardTensors[shard] ?? []).map((index) => {
      const tensor = plan.tensors[index];
      const values = tensor === undefined || tensor.action === "copy" ? [] : resolve(tensor);
      return create(ScalarRowSchema, { values });
    });
}

/** The same by name, for any tensor (an index into `plan.tensors`), as the kernels package's `startStage` wants it. */
export function scalarsByName(
  plan: Plan,
  planned: PlannedVariant,
  coefficients: Coefficients = {},
): (tensor: number) => Record<string, number> {
  const resolve = scalarResolver(plan, planned, coefficients);
  return (tensor) => {
    const place = plan.tensors[tensor];
    if (place === undefined) throw new RangeError(`the plan has no tensor ${tensor}`);
    const values = resolve(place);
    const parameters = planned.groups[place.group]?.graph.parameters ?? [];
    return Object.fromEntries(parameters.map((name, index) => [name, values[index] as number]));
  };
}

function settledVariant(plan: Plan, { variant }: PlannedVariant, coefficients: Coefficients): RecipeVariant {
  const { recipe } = plan;
  return recipe.search === undefined || variant.role !== "recipe"
    ? variant
    : variantWithCoefficients(recipe, variant, coefficients);
}

/** Values of the parameters of a tensor's graph. The planner made sure that every merged tensor has them. */
function scalarResolver(
  plan: Plan,
  planned: PlannedVariant,
  coefficients: Coefficients,
): (tensor: PlannedTensor) => number[] {
  const variant = settledVariant(plan, planned, coefficients);
  const draws = drawOffsets(plan, planned, variant);
  const known = new Map<string, ScalarReader[]>();
  return (tensor) => {
    const { part, group } = tensor;
    const key = `${part} ${group}`;
    const readers =
      known.get(key) ??
      scalarReaders(planned.groups[group] as PlannedGroup, partOf(variant, part), plan.recipe.seed, draws);
    known.set(key, readers);
    return readers.map(({ name, read }) => {
      const value = read(tensor);
      if (value === undefined) throw new Error(`${name} has no value for ${tensor.name}`);
      return value;
    });
  };
}
