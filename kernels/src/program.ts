// A graph specialised to dtypes: the plan of each kernel it needs, compiled when first used.
import { topological } from "./canonical.ts";
import type { DTypeName } from "./dtype.ts";
import type { Expr, ReductionKind } from "./expr.ts";
import { graphOf } from "./graph.ts";
import type { MergeMethod } from "./method.ts";
import { methodNamed } from "./methods/index.ts";
import { BLOCK_ELEMENTS, type MergeGraph, type Program, type ProgramSpec, type Stage } from "./types.ts";
import { histogramSink, SEARCH_BYTES } from "./wasm/histogram.ts";
import { type CompiledModule, compileModule } from "./wasm/host.ts";
import { emitKernel, type KernelPlan, planKernel, type Sink } from "./wasm/kernel.ts";
import { outputSink } from "./wasm/output.ts";
import { REDUCTION_BYTES, type Reduction, reductionSink } from "./wasm/reduce.ts";

export interface Kernel {
  readonly plan: KernelPlan;
  /** The row statistics this kernel needs, in order. */
  readonly rowStages: readonly Stage[];
  readonly module: () => CompiledModule;
  readonly outputDtype: DTypeName;
  readonly readsRanks: boolean;
}
export interface StageKernels {
  readonly kernel: Kernel;
  /** None for a `select` stage: its kernel searches. */
  readonly reductions: readonly Reduction[];
}
/** What an executor needs to know of a program. */
export interface CompiledProgram extends Program {
  readonly output: Kernel;
  readonly stageKernels: ReadonlyMap<Stage, StageKernels>;
  /** The values to rank, for each of the graph's ranks. */
  readonly rankKernels: readonly Kernel[];
  /** Where in the scratch memory a block of values to rank goes, and after it a block of each rank. */
  readonly ranksOffset: number;
  /** Where in the scratch memory the last few elements of a segment are copied to. */
  readonly stagingOffset: number;
}

/** Bytes for four elements of the widest dtype. */
export const STAGING_BYTES = 32;
/** Bytes for a block of ranks. */
export const RANKS_BYTES: number = 4 * BLOCK_ELEMENTS;

const programs = new Map<string, CompiledProgram>();

/** Builds a program. Equal specs give the same object, so that hosts may key executors by it and modules are compiled once. */
export function buildProgram(spec: ProgramSpec): Program {
  const key = JSON.stringify([
    spec.method,
    spec.models,
    spec.hasBase,
    spec.inputDtypes,
    spec.outputDtype,
    spec.masks,
    Object.entries(spec.options).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  let program = programs.get(key);
  if (!program) {
    program = programOf(methodNamed(spec.method), spec);
    programs.set(key, program);
  }
  return program;
}

/** Builds a program of any method, registered or not. */
export function programOf(method: MergeMethod, spec: ProgramSpec): CompiledProgram {
  const graph = graphOf(method, spec);
  if (spec.inputDtypes.length !== graph.inputs.length)
    throw new RangeError(
      `${method.name} of ${spec.models} models reads ${graph.inputs.length} tensors at a time, got ${spec.inputDtypes.length} dtypes`,
    );
  const output = kernelOf(graph, spec, [graph.output], 0, () => outputSink(spec.outputDtype, spec.inputDtypes));
  const stages = [...graph.stages, ...graph.rowStages];
  const stageKernels = new Map(stages.map((stage) => [stage, stageKernelsOf(graph, spec, stage)]));
  const rankKernels = graph.ranks.map((rank) =>
    kernelOf(graph, { ...spec, outputDtype: "F32" }, rank.args, 0, () => outputSink("F32", spec.inputDtypes)),
  );
  const kernels = [output, ...rankKernels, ...[...stageKernels.values()].map((k) => k.kernel)];
  const stagingOffset = Math.max(...kernels.map((k) => k.plan.layout.bytes));
  const ranks = graph.ranks.length;
  const ranksOffset = stagingOffset + STAGING_BYTES * (graph.inputs.length + ranks + 1);
  const scratchBytes = ranksOffset + (ranks ? RANKS_BYTES * (ranks + 1) : 0);
  return { spec, graph, output, stageKernels, rankKernels, ranksOffset, stagingOffset, scratchBytes };
}

function stageKernelsOf(graph: MergeGraph, spec: ProgramSpec, stage: Stage): StageKernels {
  const { statistics } = stage;
  if (stage.family === "select") {
    const searched = statistics.map((s) => s.args[0]!);
    const sink = (plan: KernelPlan): Sink => histogramSink(plan.layout);
    return { kernel: kernelOf(graph, spec, searched, SEARCH_BYTES * searched.length, sink), reductions: [] };
  }
  const reductions = statistics.map((s): Reduction => ({ kind: s.kind as ReductionKind, args: s.args }));
  const roots = reductions.flatMap((r) => r.args);
  const sink = (plan: KernelPlan): Sink => reductionSink(reductions, plan.layout);
  return { kernel: kernelOf(graph, spec, roots, REDUCTION_BYTES * reductions.length, sink), reductions };
}

function kernelOf(
  graph: MergeGraph,
  spec: ProgramSpec,
  roots: readonly Expr[],
  extraBytes: number,
  sink: (plan: KernelPlan) => Sink,
): Kernel {
  const plan = planKernel(roots, graph, extraBytes);
  const below = new Set(topological(roots, () => false));
  let module: CompiledModule | undefined;
  return {
    plan,
    outputDtype: spec.outputDtype,
    readsRanks: plan.inputs.some((i) => i >= graph.inputs.length),
    rowStages: graph.rowStages.filter((stage) => stage.statistics.some((s) => below.has(s))),
    module: () => {
      module ??= compileModule(emitKernel(plan, graph, spec.inputDtypes, sink(plan)));
      return module;
    },
  };
}
