/** Which tensors a job writes: those of the merged model, or of an artefact its vector and its masks, each with what merges it. */
import {
  type DType,
  maskFile,
  maskTensor,
  type OutputLayout,
  planNamedFiles,
  planOutputFiles,
  tasksPerMaskFile,
  vectorFile,
} from "@amalgam/checkpoint";
import { buildGraph } from "@amalgam/kernels";
import type { Recipe } from "../recipe/index.ts";
import { methodOf } from "../recipe/methods.ts";
import { copiedDType } from "./layout.ts";
import type { MatchedTensor } from "./match.ts";
import type { PlannedGroup, PlannedVariant } from "./types.ts";
import { mergedDType } from "./working-dtype.ts";

export interface WrittenTensor {
  /** Of the matched tensor that it is made of. */
  readonly index: number;
  /** In the output. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Which file of masks it is in; undefined for a tensor of a model or of a vector. */
  readonly masks?: number;
}

export const makesArtefact = (recipe: Recipe): boolean => methodOf(recipe).artefact !== undefined;
const maskFileCount = (models: number): number => Math.ceil(models / tasksPerMaskFile);

/** Of a method that makes an artefact, whose models are merged whole: behind the group of the vector one for each file of masks. */
export function withMaskGroups(variants: readonly PlannedVariant[]): readonly PlannedVariant[] {
  return variants.map(({ variant, groups }) => {
    const [vector] = groups;
    if (vector?.graph.method.artefact === undefined) return { variant, groups };
    const { spec, slots } = vector;
    const masks = Array.from({ length: maskFileCount(spec.models) }, (_, file): PlannedGroup => {
      const ofMasks = { ...spec, masks: file };
      return { spec: ofMasks, graph: buildGraph(ofMasks), slots };
    });
    return { variant, groups: [vector, ...masks] };
  });
}

/** In the order of the merged tensors; masks directly behind their vector, so that a shard reads what both are made of at once. */
export function writtenTensors(recipe: Recipe, tensors: readonly MatchedTensor[]): WrittenTensor[] {
  const artefact = makesArtefact(recipe);
  const files = artefact ? maskFileCount(recipe.models.length) : 0;
  return tensors.flatMap(({ tensor, action }, index) => {
    // Copied tensors keep their bytes, so their dtype; an artefact leaves them to the base.
    if (action === "copy") return artefact ? [] : [{ index, ...tensor, dtype: copiedDType(tensor) }];
    const { name, shape } = tensor;
    const dtype = recipe.outDtype ?? mergedDType(recipe) ?? tensor.dtype;
    const masks = Array.from({ length: files }, (_, file): WrittenTensor => {
      return { index, name: maskTensor(file, name), dtype: "U8", shape, masks: file };
    });
    return [{ index, name, dtype, shape }, ...masks];
  });
}

/** The files of the output. Throws CheckpointErrors. */
export function outputFiles(recipe: Recipe, written: readonly WrittenTensor[], maxFileBytes: number): OutputLayout {
  if (!makesArtefact(recipe)) return planOutputFiles(written, maxFileBytes);
  const masks = Array.from({ length: maskFileCount(recipe.models.length) }, (_, file) => ({
    name: maskFile(file),
    specs: written.filter((tensor) => tensor.masks === file),
  }));
  return planNamedFiles([
    { name: vectorFile, specs: written.filter((tensor) => tensor.masks === undefined) },
    ...masks,
  ]);
}
