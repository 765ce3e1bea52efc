/** A plan in words and numbers, for `amalgam plan`: plain JSON data, and the same as rows of a table. */
import { dtypeBytes } from "@amalgam/checkpoint";
import type { Stage } from "@amalgam/kernels";
import { BASE_ROW, type SearchStrategy } from "../recipe/index.ts";
import { type CoefficientCoverage, coefficientCoverage } from "./coverage.ts";
import { explainedImportance, type ImportanceExplanation, importanceRows } from "./explain-importance.ts";
import { formatBytes } from "./format-bytes.ts";
import type { TaskInput } from "./tasks.ts";
import type { Plan, PlannedVariant, PlanTotals } from "./types.ts";

export interface PlanExplanation {
  readonly method: string;
  readonly inputs: readonly { readonly kind: string; readonly name: string; readonly path: string }[];
  /** Modules that are made of slices of layers. */
  readonly layers: readonly { readonly module?: string; readonly layers: number; readonly slices: number }[];
  readonly totals: PlanTotals;
  readonly shards: number;
  readonly outputFiles: readonly { readonly name: string; readonly bytes: number }[];
  /** Bytes read by all passes of the recipe's own merge together, about. */
  readonly passBytes: number;
  /** Stages of the recipe's own merge that cross shards: sums take one pass over the inputs each, order statistics up to nine. */
  readonly statistics: { readonly sums: number; readonly orderStatistics: number };
  /** What a worker needs for one shard at a time, and to keep all inputs and one merged model between trials. */
  readonly memoryBytes: { readonly oneShard: number; readonly allResident: number };
  readonly search?: {
    readonly strategy: SearchStrategy;
    readonly trials: number;
    readonly parallel: number;
    readonly dimensions: readonly CoefficientCoverage[];
  };
  /** What entries are weighted by, where that is no input. */
  readonly importance?: ImportanceExplanation;
  readonly comparison: readonly string[];
  readonly tasks: readonly string[];
  readonly notes: readonly string[];
  readonly digest: string;
}

export function explainPlan(plan: Plan, tasks: readonly TaskInput[] = []): PlanExplanation {
  const { recipe, totals, variants } = plan;
  const passes = crossingStages(plan);
  const statistics = { sums: passes("reduce"), orderStatistics: passes("select") };
  return {
    method: recipe.method,
    inputs: plan.slots.flatMap(({ kind, name, given }, index) =>
      given ? [] : [{ kind, name, path: plan.roots[index] ?? "" }],
    ),
    layers: slicedLayers(plan),
    totals,
    shards: plan.shards.length,
    outputFiles: plan.output.files.map(({ name, fileBytes }) => ({ name, bytes: fileBytes })),
    passBytes: passBytes(plan),
    statistics,
    memoryBytes: {
      oneShard: totals.largestShardInputBytes + totals.largestShardOutputBytes,
      allResident: totals.inputBytes + totals.outputBytes,
    },
    ...(recipe.search === undefined
      ? {}
      : {
          search: {
            strategy: recipe.search.strategy,
            trials: recipe.search.trials,
            parallel: recipe.search.parallel,
            dimensions: coefficientCoverage(recipe, variants[0] as PlannedVariant, plan.tensors),
          },
        }),
    ...explainedImportance(plan, tasks),
    comparison: variants.filter(({ variant }) => variant.role === "comparison").map(({ variant }) => variant.name),
    tasks: tasks.map(({ name }) => name),
    notes: plan.notes,
    digest: plan.digest,
  };
}

function slicedLayers({ variants }: Plan): PlanExplanation["layers"] {
  const parts = variants[0]?.variant.parts ?? [];
  return [...Map.groupBy(parts, ({ module }) => module)].flatMap(([module, slices]) => {
    const layers = slices.reduce((sum, { base, sources }) => {
      const { first, end } = (base ?? sources[0])?.layers ?? { first: 0, end: 0 };
      return sum + end - first;
    }, 0);
    return layers === 0 ? [] : [{ ...(module === undefined ? {} : { module }), layers, slices: slices.length }];
  });
}

/** Reads of an order statistic that spans shards, when its sample does not mislead. */
const SELECT_READS = 4;

function passBytes({ variants, tensors, totals }: Plan): number {
  let bytes = totals.inputBytes;
  for (const { action, group, firstShard, lastShard, elements, sources } of tensors) {
    if (action !== "merge") continue;
    const ofTensor =
      sources.reduce((sum, source) => sum + (source === undefined ? 0 : dtypeBytes(source.dtype)), 0) * elements;
    for (const { scope, family } of variants[0]?.groups[group]?.graph.stages ?? []) {
      if (scope === "tensor" && firstShard === lastShard) continue;
      bytes += ofTensor * (family === "select" ? SELECT_READS : 1);
    }
  }
  return bytes;
}

/** Stages of a family that cross shards, in the group that has most of them: groups read different tensors, so their passes do not add up. */
function crossingStages({ variants, tensors }: Plan): (family: Stage["family"]) => number {
  const cutGroups = new Set<number>();
  for (const { action, group, firstShard, lastShard } of tensors) {
    if (action === "merge" && firstShard < lastShard) cutGroups.add(group);
  }
  const crossing = (variants[0]?.groups ?? []).map(({ graph }, group) =>
    graph.stages.filter(({ scope }) => scope === "model" || cutGroups.has(group)),
  );
  return (family) => Math.max(0, ...crossing.map((stages) => stages.filter((stage) => stage.family === family).length));
}

/** Label and text of each row. */
export function explanationRows(explanation: PlanExplanation): [label: string, text: string][] {
  const { totals, search, memoryBytes } = explanation;
  const copied =
    totals.copiedTensors === 0 ? "" : `, ${count(totals.copiedTensors, "copied unmerged", "copied unmerged")}`;
  const rows: [string, string][] = [["method", explanation.method]];
  for (const { kind, name, path } of explanation.inputs) {
    rows.push([kind, name === BASE_ROW ? path : `${name}  ${path}`]);
  }
  for (const { module, layers, slices } of explanation.layers) {
    const of = module === undefined ? "" : `${module}  `;
    rows.push(["layers", `${of}${count(layers, "layer", "layers")} in ${count(slices, "slice", "slices")}`]);
  }
  rows.push(
    [
      "tensors",
      `${count(totals.tensors, "tensor", "tensors")}${copied}; ${totals.parameters.toLocaleString("en")} parameters`,
    ],
    ["read", `${formatBytes(totals.inputBytes)} per pass: ${passesText(explanation)}`],
    ["write", `${formatBytes(totals.outputBytes)} in ${count(explanation.outputFiles.length, "file", "files")}`],
    ["shards", `${explanation.shards}, the largest reads ${formatBytes(totals.largestShardInputBytes)}`],
    [
      "memory",
      `${formatBytes(memoryBytes.oneShard)} for one shard; ${formatBytes(memoryBytes.allResident)} to keep everything between trials`,
    ],
  );
  if (search !== undefined) {
    const { dimensions } = search;
    rows.push([
      "search",
      search.strategy === "greedy_soup"
        ? `a greedy soup of ${dimensions.length} models: ${count(search.trials, "trial", "trials")}`
        : `${count(search.trials, "trial", "trials")}, ${search.parallel} at a time, over ${count(dimensions.length, "coefficient", "coefficients")}`,
    ]);
    if (search.strategy !== "greedy_soup") {
      for (const dimension of dimensions) rows.push(["coefficient", coverageText(dimension)]);
    }
  }
  if (explanation.importance !== undefined) rows.push(...importanceRows(explanation.importance));
  if (explanation.tasks.length > 0) rows.push(["tasks", explanation.tasks.join(", ")]);
  if (explanation.comparison.length > 0) rows.push(["compared with", explanation.comparison.join(", ")]);
  for (const note of explanation.notes) rows.push(["note", note]);
  return rows;
}

/** `weight[a][layers 1/4] in [0, 1]: 21 tensors (layers 0-2, 1 outside of the layers), 3,407,872 parameters`. */
function coverageText({ name, low, high, tensors, parameters, layers, outside }: CoefficientCoverage): string {
  const where: string[] = [];
  if (layers !== undefined) where.push(layers[0] === layers[1] ? `layer ${layers[0]}` : `layers ${layers.join("-")}`);
  if (layers !== undefined && outside > 0) where.push(`${outside} outside of the layers`);
  const place = where.length === 0 ? "" : ` (${where.join(", ")})`;
  return `${name} in [${low}, ${high}]: ${count(tensors, "tensor", "tensors")}${place}, ${count(parameters, "parameter", "parameters")}`;
}

const count = (number: number, one: string, many: string): string =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/**
 * Passes that find an order statistic, at most: three over a sample (the first 4,096 elements of each block of 65,536), one where the sample
 * misled, three that divide the 32 bits of a value by 11 each, and two to tell equal values apart.
 */
const SELECT_PASSES = { most: 9, sampled: 3 };

function passesText({ statistics: { sums, orderStatistics } }: PlanExplanation): string {
  const passes = ["1 to merge"];
  if (sums > 0) passes.push(`${sums} for sums across shards`);
  if (orderStatistics > 0) {
    const [most, sampled] = [orderStatistics * SELECT_PASSES.most, orderStatistics * SELECT_PASSES.sampled];
    passes.push(
      `up to ${most} for order statistics across shards (${sampled} of them over a sixteenth of each tensor)`,
    );
  }
  return passes.join(", ");
}
