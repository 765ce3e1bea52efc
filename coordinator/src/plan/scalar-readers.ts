/**
 * The numbers of a merge for each tensor: parameters resolved through filters and gradients, in mergekit's order of precedence: the
 * source's own setting, then the slice's, the module's, the merge's, then the method's default. A list of filters without a match falls
 * through to the next.
 */
import { LAYER_COUNT, LAYER_INDEX, RANDOM_KEY, RANDOM_OFFSET, RANDOM_SEED, randomKey } from "@amalgam/kernels";
import { type Part, resolveNumber, type Setting, type TensorPlace } from "../recipe/index.ts";
import type { PlannedGroup } from "./types.ts";

/** How many numbers are drawn before those of a tensor's stream (one for each model that is not the base). */
export type DrawOffsets = (tensor: string, stream: number) => number;

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

/**
 * In the order of `graph.parameters`. Random numbers are keyed by the recipe's seed and the tensor's name, or drawn in sequence:
 * then `draws` says where each tensor's begin.
 */
export function scalarReaders(
  { graph, slots }: PlannedGroup,
  part: Part,
  seed: number,
  draws: DrawOffsets = () => 0,
): ScalarReader[] {
  return graph.parameters.map((name) => {
    if (name === RANDOM_KEY) return { name, read: (tensor) => randomKey(seed, tensor.name), unset: "" };
    if (name === LAYER_INDEX) return { name, read: ({ layer }) => layer.index, unset: "" };
    if (name === LAYER_COUNT) return { name, read: ({ layer }) => layer.count, unset: "" };
    if (name === RANDOM_SEED) return { name, read: () => seed, unset: "" };
    const { parameter, model } = parsedName(name);
    if (parameter === RANDOM_OFFSET) return { name, read: (tensor) => draws(tensor.name, model ?? 0), unset: "" };
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
    const read = ({ name: output, depth, layer, inputNames }: TensorSettingsPlace): number | undefined => {
      const input = source === undefined || slot === undefined ? undefined : inputNames?.[slot];
      return firstValue(levels, { name: input ?? output, depth, layer });
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
export function parsedName(name: string): { readonly parameter: string; readonly model: number | undefined } {
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
