/** A checkpoint as one part of a merge sees it: only the tensors that the part takes from it, under the names that they get. */
import {
  type Checkpoint,
  isBeforeLayers,
  layerPlace,
  type ModelModule,
  moduleNamed,
  modulesOf,
  type TensorRef,
} from "@amalgam/checkpoint";
import { type Part, type PartSource, partTitle } from "../recipe/index.ts";

export interface View {
  /** Tensors by their new names, which the references have too. Files, config and ties are the checkpoint's own. */
  readonly checkpoint: Checkpoint;
  /** The names that tensors have in the checkpoint, by their new ones; undefined where all keep theirs. */
  readonly oldNames: ReadonlyMap<string, string> | undefined;
}

/** Modules of checkpoints, each found once. */
export class ModulesCache {
  readonly #known = new Map<Checkpoint, readonly ModelModule[]>();

  of(checkpoint: Checkpoint): readonly ModelModule[] {
    const known = this.#known.get(checkpoint) ?? modulesOf(checkpoint.tensors.keys());
    this.#known.set(checkpoint, known);
    return known;
  }
}

/**
 * The module of a checkpoint that a part is of.
 * @returns the message of why there is none, otherwise
 */
export function partModule(cache: ModulesCache, checkpoint: Checkpoint, part: Part): ModelModule | string {
  const modules = cache.of(checkpoint);
  const { module: name } = part;
  if (name === undefined) {
    const [only] = modules;
    if (only !== undefined && modules.length === 1) return only;
    return `${checkpoint.root}: has several modules (${moduleList(modules)}): say of which the slices are, under \`modules\``;
  }
  return (
    moduleNamed(modules, name) ?? `${checkpoint.root}: has no module \`${name}\` (its modules: ${moduleList(modules)})`
  );
}

const moduleList = (modules: readonly ModelModule[]): string =>
  modules.map(({ name, layers }) => `\`${name}\`${layers.size === 0 ? "" : ` with ${layers.size} layers`}`).join(", ");

/**
 * What a part takes from one of its sources. Tensors outside of the layers belong to the first slice, those after the layers to the last;
 * layers are numbered from `firstLayer`.
 * @returns the message of why there is no such view, otherwise
 */
export function partView(
  checkpoint: Checkpoint,
  module: ModelModule,
  part: Part,
  { layers }: PartSource,
  firstLayer: number,
): View | string {
  if (layers === undefined) {
    const names = [...module.outside, ...[...module.layers.values()].flat()];
    return { checkpoint: { ...checkpoint, tensors: pick(checkpoint, names) }, oldNames: undefined };
  }
  const { first, end } = layers;
  const beyond = `${partTitle(part)}: \`layer_range\` [${first}, ${end}] of ${checkpoint.root} goes beyond its ${module.layers.size} layers`;
  // Sizes first: a range may be as long as numbers go.
  if (end - first > module.layers.size) return beyond;
  const oldNames = new Map<string, string>();
  const { index, count } = part.slice ?? { index: 0, count: 1 };
  for (const name of module.outside) {
    if (isBeforeLayers(name) ? index === 0 : index === count - 1) oldNames.set(name, name);
  }
  for (let layer = first; layer < end; layer++) {
    const names = module.layers.get(layer);
    if (names === undefined) return beyond;
    for (const name of names) {
      const place = layerPlace(name);
      if (place !== undefined) oldNames.set(`${place.stack}.${firstLayer + layer - first}${place.rest}`, name);
    }
  }
  return { checkpoint: { ...checkpoint, tensors: rename(checkpoint, oldNames) }, oldNames };
}

/** A file with tensors that accompany a model's, as the part sees it. */
export function companionView(companion: Checkpoint, { checkpoint, oldNames }: View): Checkpoint {
  const names = oldNames ?? new Map([...checkpoint.tensors.keys()].map((name) => [name, name]));
  // It may store a shared parameter under any of its names, which lie outside of the layers.
  const aliases = checkpoint.tied.flatMap(({ stored, absent }) => [...stored, ...absent]);
  const all = new Map([...aliases.map((name) => [name, name] as const), ...names]);
  return { ...companion, tensors: rename(companion, all) };
}

function pick({ tensors }: Checkpoint, names: readonly string[]): Map<string, TensorRef> {
  const picked = new Map<string, TensorRef>();
  for (const name of names) {
    const tensor = tensors.get(name);
    if (tensor !== undefined) picked.set(name, tensor);
  }
  return picked;
}

function rename({ tensors }: Checkpoint, oldNames: ReadonlyMap<string, string>): Map<string, TensorRef> {
  const renamed = new Map<string, TensorRef>();
  for (const [name, old] of oldNames) {
    const tensor = tensors.get(old);
    if (tensor !== undefined) renamed.set(name, { ...tensor, name });
  }
  return renamed;
}
