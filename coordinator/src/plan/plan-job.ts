/** The planner: a pure function from a recipe and the headers of its inputs to shards with final output offsets, in linear time. */
import {
  type DType,
  dtypeBytes,
  elementCount,
  type OutputLayout,
  planOutputFiles,
  problemsOf,
} from "@amalgam/checkpoint";
import { buildGraph } from "@amalgam/kernels";
import { type Recipe, tensorDepths, variantsOf } from "../recipe/index.ts";
import { type Cut, type Cuttable, cutIntoShards, defaultShardBytes, unitElements } from "./cut.ts";
import { digestPlan } from "./digest.ts";
import { copiedDType, inputFiles, type LocatedTensor, shardMessages, sourceLocator } from "./layout.ts";
import { type MatchedTensor, matchTensors, REFERENCE_SLOT } from "./match.ts";
import { PlanProblems, TensorRemarks } from "./problems.ts";
import { scalarReaders } from "./scalars.ts";
import { slotsOf, variantSlots } from "./slots.ts";
import type { Plan, PlannedTensor, PlannedVariant, PlanOptions, PlanTotals, ShardSize, SlotHeader } from "./types.ts";

/** As transformers' save_pretrained. */
const MAX_OUTPUT_FILE_BYTES = 5_000_000_000;

export interface PlanInput extends PlanOptions {
  readonly recipe: Recipe;
  /** In the order of `slotsOf(recipe)`. */
  readonly headers: readonly SlotHeader[];
}

/** Throws PlanProblems with everything that keeps the inputs from being merged. */
export function planJob({ recipe, headers, shardBytes, maxOutputFileBytes = MAX_OUTPUT_FILE_BYTES }: PlanInput): Plan {
  const slots = slotsOf(recipe);
  const variants = plannedVariants(recipe, headers);
  const used = new Set(variants.flatMap(({ groups }) => groups.flatMap(({ slots }) => slots)));
  const match = matchTensors(recipe, headers, used);
  const depths = tensorDepths(match.tensors.map(({ tensor }) => tensor.name));
  const problems = [...match.problems, ...unsetParameters(recipe, variants, match.tensors, depths)];
  const specs = match.tensors.map((matched) => outputSpec(recipe, matched));
  const output = layOut(specs, maxOutputFileBytes, problems);
  if (problems.length > 0 || output === undefined) throw new PlanProblems(problems);

  const { files, numbers } = inputFiles(headers);
  const locate = sourceLocator(headers, numbers);
  const places = outputPlaces(output);
  const rowwise = variants.some(({ groups }) => groups.some(({ graph }) => graph.rowwise));
  const located: LocatedTensor[] = match.tensors.map((matched, index) => {
    const { tensor, action } = matched;
    const spec = specs[index] as { readonly dtype: DType };
    const place = places.get(tensor.name) as OutputPlace;
    return {
      name: tensor.name,
      shape: tensor.shape,
      elements: elementCount(tensor.shape),
      action,
      outputDtype: spec.dtype,
      ...place,
      sources: locate(matched.sources, action),
      depth: depths.get(tensor.name) ?? 0,
      group: 0,
    };
  });
  const cuttables = located.map((tensor) => cuttable(tensor, rowwise));
  const inputBytes = cuttables.reduce((sum, { elements, bytesPerElement }) => sum + elements * bytesPerElement, 0);
  const cuts = cutIntoShards(cuttables, shardBytes ?? defaultShardBytes(inputBytes));
  const tensors = withShards(located, cuts);
  const shardSizes = cuts.map((shard) => shardSize(shard, located, cuttables));
  const plan = {
    recipe,
    slots,
    roots: headers.map(({ checkpoint: { root, adapter } }) => (adapter === undefined ? root : `${root}+${adapter}`)),
    files,
    tensors,
    output,
    shards: shardMessages(tensors, cuts),
    shardTensors: cuts.map((shard) => shard.map(({ tensor }) => tensor)),
    shardSizes,
    variants,
    donorSlot: REFERENCE_SLOT,
    donorConfig: headers[REFERENCE_SLOT]?.checkpoint.config,
    totals: totalsOf(
      tensors,
      shardSizes,
      cuts.reduce((sum, shard) => sum + shard.length, 0),
    ),
    notes: match.notes,
  };
  return { ...plan, digest: digestPlan(plan, headers) };
}

function plannedVariants(recipe: Recipe, headers: readonly SlotHeader[]): PlannedVariant[] {
  const slots = headers.map(({ slot }) => slot);
  return variantsOf(recipe).map((variant) => {
    const { merge, base, options } = variant;
    const { method, models } = merge;
    const spec = { method, models: models.length, hasBase: base !== undefined, options };
    return { variant, groups: [{ spec, graph: buildGraph(spec), slots: variantSlots(variant, slots) }] };
  });
}

/** Filters may leave a tensor without a value: better said now than when its turn comes. */
function unsetParameters(
  recipe: Recipe,
  variants: readonly PlannedVariant[],
  tensors: readonly MatchedTensor[],
  depths: ReadonlyMap<string, number>,
): string[] {
  const remarks = new TensorRemarks();
  const searched = new Set(recipe.search?.coefficients.map(({ parameter }) => parameter) ?? []);
  for (const { groups, variant } of variants) {
    const isSearched = (name: string): boolean =>
      variant.role === "recipe" && searched.has(name.replace(/\[\d+\]$/, ""));
    for (const { graph } of groups) {
      for (const { name, read, unset } of scalarReaders(graph, variant.merge, recipe.seed)) {
        if (isSearched(name)) continue;
        for (const { tensor, action } of tensors) {
          const place = { name: tensor.name, depth: depths.get(tensor.name) ?? 0 };
          if (action === "merge" && read(place) === undefined) remarks.add(unset, tensor.name);
        }
      }
    }
  }
  return remarks.lines();
}

function outputSpec(recipe: Recipe, { tensor, action }: MatchedTensor): OutputSpec {
  const { name, shape } = tensor;
  // Copied tensors keep their bytes, so their dtype.
  const dtype = action === "copy" ? copiedDType(tensor) : (recipe.outDtype ?? recipe.dtype ?? tensor.dtype);
  return { name, dtype, shape };
}

interface OutputSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

function layOut(specs: readonly OutputSpec[], maxFileBytes: number, problems: string[]): OutputLayout | undefined {
  try {
    return planOutputFiles(specs, maxFileBytes);
  } catch (error) {
    problems.push(...problemsOf(error).map(({ message }) => message));
    return undefined;
  }
}

interface OutputPlace {
  readonly outputFile: number;
  readonly outputOffset: number;
}

function outputPlaces(output: OutputLayout): Map<string, OutputPlace> {
  const places = new Map<string, OutputPlace>();
  output.files.forEach(({ tensors }, outputFile) => {
    for (const [name, { begin }] of tensors) places.set(name, { outputFile, outputOffset: begin });
  });
  return places;
}

function cuttable({ action, shape, elements, sources }: LocatedTensor, rowwise: boolean): Cuttable {
  const bytesPerElement = sources.reduce((sum, source) => sum + (source?.bytesPerElement ?? 0), 0);
  const rowElements = rowwise && action === "merge" ? (shape.at(-1) ?? 1) : undefined;
  return { elements, bytesPerElement, unitElements: unitElements(rowElements) };
}

function withShards(tensors: readonly LocatedTensor[], cuts: readonly (readonly Cut[])[]): PlannedTensor[] {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  cuts.forEach((shard, index) => {
    for (const { tensor } of shard) {
      if (!first.has(tensor)) first.set(tensor, index);
      last.set(tensor, index);
    }
  });
  return tensors.map((tensor, index) => ({
    ...tensor,
    firstShard: first.get(index) ?? 0,
    lastShard: last.get(index) ?? -1,
  }));
}

function shardSize(
  shard: readonly Cut[],
  tensors: readonly LocatedTensor[],
  cuttables: readonly Cuttable[],
): ShardSize {
  let inputBytes = 0;
  let outputBytes = 0;
  for (const { tensor, elements } of shard) {
    inputBytes += elements * (cuttables[tensor] as Cuttable).bytesPerElement;
    outputBytes += elements * dtypeBytes((tensors[tensor] as LocatedTensor).outputDtype);
  }
  return { inputBytes, outputBytes };
}

function totalsOf(tensors: readonly PlannedTensor[], sizes: readonly ShardSize[], segments: number): PlanTotals {
  const mergedTensors = tensors.filter(({ action }) => action === "merge").length;
  return {
    tensors: tensors.length,
    mergedTensors,
    copiedTensors: tensors.length - mergedTensors,
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    inputBytes: sizes.reduce((sum, { inputBytes }) => sum + inputBytes, 0),
    outputBytes: sizes.reduce((sum, { outputBytes }) => sum + outputBytes, 0),
    segments,
    largestShardInputBytes: sizes.reduce((most, { inputBytes }) => Math.max(most, inputBytes), 0),
    largestShardOutputBytes: sizes.reduce((most, { outputBytes }) => Math.max(most, outputBytes), 0),
  };
}
