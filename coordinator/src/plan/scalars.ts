/**
 * The numbers of a merge for each tensor: parameters resolved through filters and gradients, in mergekit's order of precedence: the
 * source's own setting, then the slice's, the module's, the merge's, then the method's default. A list of filters without a match falls
 * through to the next.
 */

import { RANDOM_KEY, randomKey } from "@amalgam/kernels";
import { type ScalarRow, ScalarRowSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import {
  type Part,
  type RecipeVariant,
  resolveNumber,
  type Setting,
  type TensorPlace,
  variantWithCoefficients,
} from "../recipe/index.ts";
import { partOf } from "./groups.ts";
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
  shard: number,
  coefficients: Coefficients = {},
): ScalarRow[] {
  const resolve = scalarResolver(plan, planned, coefficients);
  return (plan.shardTensors[shard] ?? []).map((index) => {
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

/** A tensor as settings see it. Parameters of the merge go by its new name, those of a model by the name that it has there. */
export interface TensorSettingsPlace extends TensorPlace {
  readonly inputNames?: readonly (string | undefined)[];
}

/** How one parameter of a graph gets its values. */
export interface ScalarReader {
  /** As in `graph.parameters`. */
  readonly name: string;
  /** The value for a tensor, undefined where no setting applies to it. */
  readonly read: (tensor: TensorSettingsPlace) => number | undefined;
  /** What to say of tensors without a value; `%` stands for them. */
  readonly unset: string;
}

/** In the order of `graph.parameters`. Random numbers are keyed by the recipe's seed and the tensor's name. */
export function scalarReaders({ graph, slots }: PlannedGroup, part: Part, seed: number): ScalarReader[] {
  return graph.parameters.map((name) => {
    if (name === RANDOM_KEY) return { name, read: (tensor) => randomKey(seed, tensor.name), unset: "" };
    const { parameter, model } = parsedName(name);
    const source = model === undefined ? undefined : part.sources[model];
    const slot = slots[graph.inputs.findIndex((role) => role.kind === "model" && role.model === model)];
    const definition = graph.method.parameters[parameter];
    const fallback = definition?.kind === "number" ? definition.default : undefined;
    const given = [source?.parameters, ...part.levels].map((settings) => settings?.[parameter]);
    const levels = [...given, fallback].filter((level) => level !== undefined);
    const of = source === undefined ? "" : ` of model \`${source.model.name}\``;
    const unset = `\`${parameter}\`${of}: no filter matches %: add an item without \`filter\``;
    const [first] = levels;
    if (typeof first === "number") return { name, read: () => first, unset };
    const read = ({ name: output, depth, inputNames }: TensorSettingsPlace): number | undefined => {
      const input = source === undefined || slot === undefined ? undefined : inputNames?.[slot];
      return firstValue(levels, { name: input ?? output, depth });
    };
    return { name, read, unset };
  });
}

/** Whether a parameter of the graph must have one value for all tensors. */
export function isConstant({ graph }: PlannedGroup, name: string): boolean {
  const definition = graph.method.parameters[parsedName(name).parameter];
  return definition?.kind === "number" && definition.constant === true;
}

/** `weight[2]` is the parameter `weight` of the third model, `lambda` one of the merge. */
function parsedName(name: string): { readonly parameter: string; readonly model: number | undefined } {
  const [, parameter = name, index] = /^(.*)\[(\d+)\]$/.exec(name) ?? [];
  return { parameter, model: index === undefined ? undefined : Number(index) };
}

function firstValue(levels: readonly Setting[], tensor: TensorPlace): number | undefined {
  for (const setting of levels) {
    const value = resolveNumber(setting, tensor);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Values of the parameters of a tensor's graph. The planner made sure that every merged tensor has them. */
function scalarResolver(
  plan: Plan,
  planned: PlannedVariant,
  coefficients: Coefficients,
): (tensor: PlannedTensor) => number[] {
  const variant = settledVariant(plan, planned, coefficients);
  const known = new Map<string, ScalarReader[]>();
  return (tensor) => {
    const { part, group } = tensor;
    const key = `${part} ${group}`;
    const readers =
      known.get(key) ?? scalarReaders(planned.groups[group] as PlannedGroup, partOf(variant, part), plan.recipe.seed);
    known.set(key, readers);
    return readers.map(({ name, read }) => {
      const value = read(tensor);
      if (value === undefined) throw new Error(`${name} has no value for ${tensor.name}`);
      return value;
    });
  };
}
