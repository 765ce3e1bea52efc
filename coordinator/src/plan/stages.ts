/** Which statistics of a group the coordinator reduces: those of all that it merges, and those of tensors that lie in several shards. */
import { type Coefficients, scalarsByName } from "./scalars.ts";
import type { Plan, PlannedVariant } from "./types.ts";

/** Elements over which one stage of the merge graph is reduced. */
export interface ReductionScope {
  /** Name of the tensor; empty for the whole model, as on the wire. */
  readonly tensor: string;
  readonly elements: number;
  /** Shards with a part of it, ascending. */
  readonly shards: readonly number[];
  /** The graph's parameters there, by name. */
  readonly parameters: Readonly<Record<string, number>>;
}

/**
 * The scopes of a stage of a group's graph (an index into `graph.stages`). A tensor that lies in one shard is left to its worker; a statistic
 * over the model is reduced by the coordinator even where one shard holds all.
 */
export function reductionScopes(
  plan: Plan,
  planned: PlannedVariant,
  group: number,
  stage: number,
  coefficients: Coefficients = {},
): ReductionScope[] {
  const found = planned.groups[group];
  const scope = found?.graph.stages[stage]?.scope;
  if (found === undefined || scope === undefined) return [];
  const scalars = scalarsByName(plan, planned, coefficients);
  const merged = plan.tensors
    .map((tensor, index) => ({ tensor, index }))
    .filter(({ tensor }) => tensor.action === "merge" && tensor.group === group && tensor.elements > 0);
  const [first] = merged;
  if (first === undefined) return [];
  if (scope === "model") {
    const elements = merged.reduce((sum, { tensor }) => sum + tensor.elements, 0);
    const shards = new Set(merged.flatMap(({ tensor }) => range(tensor.firstShard, tensor.lastShard)));
    // Parameters of a model's statistics have one value for all tensors (`constant`): any tensor tells.
    return [{ tensor: "", elements, shards: [...shards], parameters: scalars(first.index) }];
  }
  return merged
    .filter(({ tensor }) => tensor.firstShard < tensor.lastShard)
    .map(({ tensor: { name, elements, firstShard, lastShard }, index }) => ({
      tensor: name,
      elements,
      shards: range(firstShard, lastShard),
      parameters: scalars(index),
    }));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
