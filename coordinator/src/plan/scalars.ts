/**
 * The numbers of a merge for each tensor: parameters resolved through filters and gradients, in mergekit's order of precedence: the
 * model's own setting, then the merge's, then the method's default. A list of filters without a match falls through to the next.
 */

import type { MergeGraph } from "@amalgam/kernels";
import { type ScalarRow, ScalarRowSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import { type MergeSettings, resolveNumber, type TensorPlace, variantWithCoefficients } from "../recipe/index.ts";
import type { Plan, PlannedVariant } from "./types.ts";

/** Coefficients of a search by name, e.g. `weight[a]`. */
export type Coefficients = Readonly<Record<string, number>>;

/**
 * One row for each segment of the shard: the values of `graph.parameters`, in that order. Rows of copied tensors are empty.
 * `coefficients` are for the recipe's own variant of a search.
 */
export function scalarRows(
  plan: Plan,
  planned: PlannedVariant,
  shard: number,
  coefficients: Coefficients = {},
): ScalarRow[] {
  const { merge } = settledVariant(plan, planned, coefficients);
  const resolve = scalarResolver(planned.graph, merge);
  return (plan.shardTensors[shard] ?? []).map((index) => {
    const tensor = plan.tensors[index];
    const values = tensor === undefined || tensor.action === "copy" ? [] : resolve(tensor);
    return create(ScalarRowSchema, { values });
  });
}

/** The same by name for one tensor, as the kernels package's `startStage` wants it. `tensor` is an index into `plan.tensors`. */
export function scalarsOf(
  plan: Plan,
  planned: PlannedVariant,
  tensor: number,
  coefficients: Coefficients = {},
): Record<string, number> {
  const { merge } = settledVariant(plan, planned, coefficients);
  const place = plan.tensors[tensor];
  if (place === undefined) throw new RangeError(`the plan has no tensor ${tensor}`);
  const values = scalarResolver(planned.graph, merge)(place);
  return Object.fromEntries(planned.graph.parameters.map((name, index) => [name, values[index] as number]));
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

/** Values of the graph's parameters for a tensor. Throws an Error that names the parameter without a value. */
export function scalarResolver(graph: MergeGraph, merge: MergeSettings): (tensor: TensorPlace) => number[] {
  const readers = graph.parameters.map((name) => parameterReader(name, graph, merge));
  return (tensor) => readers.map((read) => read(tensor));
}

/** Thrown when no setting of a parameter applies to a tensor. */
export class UnsetParameter extends Error {
  override readonly name = "UnsetParameter";
  /** The parameter, as in `weight[0]`, without the tensor: one problem for all tensors. */
  readonly sentence: string;

  constructor(sentence: string, tensor: string) {
    super(sentence.replace("%", () => tensor));
    this.sentence = sentence;
  }
}

function parameterReader(name: string, graph: MergeGraph, merge: MergeSettings): (tensor: TensorPlace) => number {
  const [, parameter = name, index] = /^(.*)\[(\d+)\]$/.exec(name) ?? [];
  const model = index === undefined ? undefined : merge.models[Number(index)];
  const definition = graph.method.parameters[parameter];
  const fallback = definition?.kind === "number" ? definition.default : undefined;
  const levels = [model?.parameters[parameter], merge.parameters[parameter], fallback].filter(
    (level) => level !== undefined,
  );
  const constant = levels[0];
  if (typeof constant === "number") return () => constant;
  return (tensor) => {
    for (const setting of levels) {
      const value = resolveNumber(setting, tensor);
      if (value !== undefined) return value;
    }
    const of = model === undefined ? "" : ` of model \`${model.name}\``;
    throw new UnsetParameter(`\`${parameter}\`${of}: no filter matches %: add an item without \`filter\``, tensor.name);
  };
}
