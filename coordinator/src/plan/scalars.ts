/**
 * The numbers of a merge for each tensor: parameters resolved through filters and gradients, in mergekit's order of precedence: the
 * model's own setting, then the merge's, then the method's default. A list of filters without a match falls through to the next.
 */

import { type MergeGraph, RANDOM_KEY, randomKey } from "@amalgam/kernels";
import { type ScalarRow, ScalarRowSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import {
  type MergeSettings,
  resolveNumber,
  type Setting,
  type TensorPlace,
  variantWithCoefficients,
} from "../recipe/index.ts";
import type { Plan, PlannedGroup, PlannedVariant } from "./types.ts";

/** Coefficients of a search by name, e.g. `weight[a]`. */
export type Coefficients = Readonly<Record<string, number>>;

/**
 * One row for each segment of the shard: the values of its graph's parameters, in their order. Rows of copied tensors are empty.
 * `coefficients` are for the recipe's own variant of a search.
 */
export function scalarRows(
  plan: Plan,
  planned: PlannedVariant,
  shard: number,
  coefficients: Coefficients = {},
): ScalarRow[] {
  const { merge } = settledVariant(plan, planned, coefficients);
  const resolvers = planned.groups.map(({ graph }) => scalarResolver(graph, merge, plan.recipe.seed));
  return (plan.shardTensors[shard] ?? []).map((index) => {
    const tensor = plan.tensors[index];
    const values = tensor === undefined || tensor.action === "copy" ? [] : resolvers[tensor.group]?.(tensor);
    return create(ScalarRowSchema, { values: values ?? [] });
  });
}

/** The same by name, for any tensor of a group (an index into `plan.tensors`), as the kernels package's `startStage` wants it. */
export function scalarsByName(
  plan: Plan,
  planned: PlannedVariant,
  { graph }: PlannedGroup,
  coefficients: Coefficients = {},
): (tensor: number) => Record<string, number> {
  const { parameters } = graph;
  const resolve = scalarResolver(graph, settledVariant(plan, planned, coefficients).merge, plan.recipe.seed);
  return (tensor) => {
    const place = plan.tensors[tensor];
    if (place === undefined) throw new RangeError(`the plan has no tensor ${tensor}`);
    const values = resolve(place);
    return Object.fromEntries(parameters.map((name, index) => [name, values[index] as number]));
  };
}

function settledVariant(
  plan: Plan,
  planned: PlannedVariant,
  coefficients: Coefficients,
): { readonly merge: MergeSettings } {
  const { recipe } = plan;
  const { variant } = planned;
  return recipe.search === undefined || variant.role !== "recipe"
    ? variant
    : variantWithCoefficients(recipe, variant, coefficients);
}

/** How one parameter of a graph gets its values. */
export interface ScalarReader {
  /** As in `graph.parameters`. */
  readonly name: string;
  /** The value for a tensor, undefined where no setting applies to it. */
  readonly read: (tensor: TensorPlace) => number | undefined;
  /** What to say of tensors without a value; `%` stands for them. */
  readonly unset: string;
}

/** In the order of `graph.parameters`. Random numbers are keyed by the recipe's seed and the tensor's name. */
export function scalarReaders(graph: MergeGraph, merge: MergeSettings, seed: number): ScalarReader[] {
  return graph.parameters.map((name) => {
    if (name === RANDOM_KEY) return { name, read: (tensor) => randomKey(seed, tensor.name), unset: "" };
    const [, parameter = name, index] = /^(.*)\[(\d+)\]$/.exec(name) ?? [];
    const model = index === undefined ? undefined : merge.models[Number(index)];
    const definition = graph.method.parameters[parameter];
    const fallback = definition?.kind === "number" ? definition.default : undefined;
    const levels = [model?.parameters[parameter], merge.parameters[parameter], fallback].filter(
      (level) => level !== undefined,
    );
    const of = model === undefined ? "" : ` of model \`${model.name}\``;
    const unset = `\`${parameter}\`${of}: no filter matches %: add an item without \`filter\``;
    const [first] = levels;
    if (typeof first === "number") return { name, read: () => first, unset };
    return { name, read: (tensor) => firstValue(levels, tensor), unset };
  });
}

function firstValue(levels: readonly Setting[], tensor: TensorPlace): number | undefined {
  for (const setting of levels) {
    const value = resolveNumber(setting, tensor);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Values of the graph's parameters. The planner made sure that every merged tensor has them. */
function scalarResolver(graph: MergeGraph, merge: MergeSettings, seed: number): (tensor: TensorPlace) => number[] {
  const readers = scalarReaders(graph, merge, seed);
  return (tensor) =>
    readers.map(({ name, read }) => {
      const value = read(tensor);
      if (value === undefined) throw new Error(`${name} has no value for ${tensor.name}`);
      return value;
    });
}
