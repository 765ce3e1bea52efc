/** The planner: a pure function from a recipe and the headers of its inputs to shards with final output offsets, in linear time. */
import { dtypeBytes, elementCount, type OutputLayout, problemsOf } from "@amalgam/checkpoint";
import { type LayerPlace, type Recipe, tensorLayers, variantsOf } from "../recipe/index.ts";
import { coverageProblems } from "./coverage.ts";
import { type Cut, type Cuttable, cutIntoShards, defaultLimits, unitElements } from "./cut.ts";
import { digestPlan } from "./digest.ts";
import { groupParts } from "./groups.ts";
import { inputFiles, type LocatedTensor, shardMessages, sourceLocator } from "./layout.ts";
import { type MatchedTensor, matchTensors } from "./match.ts";
import { DONOR_SLOT, jobInputs } from "./part-inputs.ts";
import { pinsOf } from "./pins.ts";
import { PlanProblems } from "./problems.ts";
import { type PlacedTensor, settingProblems } from "./setting-problems.ts";
import { slotsOf } from "./slots.ts";
import type {
  OutputTokenizer,
  Plan,
  PlannedTensor,
  PlannedVariant,
  PlanOptions,
  PlanTotals,
  ShardSize,
  SlotHeader,
} from "./types.ts";
import { workingDType, workingProblems } from "./working-dtype.ts";
import { outputFiles, type WrittenTensor, withMaskGroups, writtenTensors } from "./written.ts";

/** As transformers' save_pretrained. */
const MAX_OUTPUT_FILE_BYTES = 5_000_000_000;

export interface PlanInput extends PlanOptions {
  readonly recipe: Recipe;
  /** In the order of `slotsOf(recipe)`. */
  readonly headers: readonly SlotHeader[];
  /** Whose rows the headers' embeddings have; see `withTokenizer`. */
  readonly tokenizer?: OutputTokenizer | undefined;
}

/** Throws PlanProblems with everything that keeps the inputs from being merged. */
export function planJob({
  recipe,
  headers,
  tokenizer,
  shardBytes,
  maxOutputFileBytes = MAX_OUTPUT_FILE_BYTES,
}: PlanInput): Plan {
  const slots = slotsOf(recipe);
  const { variants: byPart, groupOfPart } = groupParts(variantsOf(recipe), slots, workingDType(recipe));
  const variants = withMaskGroups(byPart);
  const inputs = jobInputs(
    variants.map(({ variant }) => variant),
    headers,
  );
  // Parts that could not be found have nothing to match.
  if (inputs.problems.length > 0 && inputs.parts.length === 0) throw new PlanProblems(inputs.problems);
  const used = new Set(variants.flatMap(({ groups }) => groups.flatMap((group) => group.slots)));
  const match = matchTensors(recipe, headers, inputs.parts, used);
  const layers = tensorLayers(match.tensors.map(({ tensor }) => tensor.name));
  const places = match.tensors.map((matched) => placeOf(matched, groupOfPart, layers));
  const problems = [
    ...inputs.problems,
    ...match.problems,
    ...workingProblems(recipe, slots, match.tensors),
    ...settingProblems(recipe, variants, places),
    ...coverageProblems(recipe, variants[0] as PlannedVariant, places),
  ];
  const written = writtenTensors(recipe, match.tensors);
  const output = layOut(recipe, written, maxOutputFileBytes, problems);
  if (problems.length > 0 || output === undefined) throw new PlanProblems(problems);

  const { files, numbers } = inputFiles(headers);
  const locate = sourceLocator(headers, numbers);
  const outputs = outputPlaces(output);
  const rowwise = variants.some(({ groups }) => groups.some(({ graph }) => graph.rowwise));
  const located: LocatedTensor[] = written.map(({ index, name, dtype, masks }) => {
    const { tensor, action, sources } = match.tensors[index] as MatchedTensor;
    const place = places[index] as PlacedTensor;
    return {
      ...place,
      name,
      ...(masks === undefined ? {} : { group: masks + 1 }),
      shape: tensor.shape,
      outputDtype: dtype,
      ...(outputs.get(name) as OutputPlace),
      sources: locate(sources, action),
    };
  });
  const cuttables = located.map((tensor) => cuttable(tensor, rowwise));
  const inputBytes = cuttables.reduce((sum, { elements, bytesPerElement }) => sum + elements * bytesPerElement, 0);
  const graphs = variants.flatMap(({ groups }) => groups.map(({ graph }) => graph));
  const hasTensorStatistics = graphs.some(({ stages }) => stages.some(({ scope }) => scope === "tensor"));
  const limits =
    shardBytes === undefined
      ? defaultLimits(inputBytes, hasTensorStatistics)
      : { shardBytes, wholeTensorBytes: shardBytes };
  const cuts = cutIntoShards(cuttables, limits);
  const tensors = withShards(located, cuts);
  const shardSizes = cuts.map((shard) => shardSize(shard, located, cuttables));
  const plan = {
    recipe,
    slots,
    roots: headers.map(({ checkpoint: { root, adapter } }) => (adapter === undefined ? root : `${root}+${adapter}`)),
    pins: pinsOf(headers),
    files,
    tensors,
    output,
    shards: shardMessages(tensors, cuts),
    shardTensors: cuts.map((shard) => shard.map(({ tensor }) => tensor)),
    shardSizes,
    variants,
    donorSlot: DONOR_SLOT,
    donorConfig: headers[DONOR_SLOT]?.checkpoint.config,
    config: inputs.config,
    totals: totalsOf(
      tensors,
      shardSizes,
      cuts.reduce((sum, shard) => sum + shard.length, 0),
    ),
    ...(tokenizer === undefined ? {} : { tokenizer }),
    notes: [...(tokenizer?.notes ?? []), ...inputs.notes, ...match.notes],
  };
  return { ...plan, digest: digestPlan(plan, headers) };
}

/** What a tensor's settings depend on, and what merges it. */
function placeOf(
  { tensor, inputs, action }: MatchedTensor,
  groupOfPart: readonly number[],
  layers: ReadonlyMap<string, LayerPlace>,
): PlacedTensor {
  const { part = 0, reference, oldNames, depthOf } = inputs;
  const { name } = tensor;
  const inputNames = oldNames.map((names) => names?.get(name));
  return {
    name,
    action,
    elements: elementCount(tensor.shape),
    depth: depthOf(name),
    layer: layers.get(name) as LayerPlace,
    part,
    group: groupOfPart[part] ?? 0,
    reference,
    ...(inputNames.some((old) => old !== undefined && old !== name) ? { inputNames } : {}),
  };
}

function layOut(
  recipe: Recipe,
  written: readonly WrittenTensor[],
  maxFileBytes: number,
  problems: string[],
): OutputLayout | undefined {
  try {
    return outputFiles(recipe, written, maxFileBytes);
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
