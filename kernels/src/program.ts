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
import { emitKernel, type Sink } from "./wasm/kernel.ts";
import { outputSink } from "./wasm/output.ts";
import { type FamilyBytes, type KernelPlan, planKernel } from "./wasm/plan.ts";
import { REDUCTION_BYTES, type Reduction, reductionSink } from "./wasm/reduce.ts";

export interface Kernel {
  readonly plan: KernelPlan;
  /** The row statistics this kernel needs, in order. */
  readonly rowStages: readonly Stage[];
  readonly module: () => CompiledModule;
  readonly outputDtype: DTypeName;
  /** Positions in the graph's ranks of those the kernel reads. */
  readonly ranks: readonly number[];
  /** Positions in the graph's drawn numbers of those the kernel reads. */
  readonly drawn: readonly number[];
  /** Whether its scalars differ from row to row. */
  readonly readsRows: boolean;
  /** Whether it reduces: then a row, where it needs those, is a run of its own. */
  readonly reduces: boolean;
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
  /** Kernels that give the values to sort, by what is ranked and what order statistics of rows are taken of. */
  readonly valueKernels: ReadonlyMap<Expr, Kernel>;
  /** Where in the scratch memory kernels that serve others have their parameter blocks; those others start at its beginning. */
  readonly rowKernelsOffset: number;
  /** Where in the scratch memory a block of values to sort goes, and after it a block of each rank. */
  readonly valuesOffset: number;
  /** Where in the scratch memory a block of each drawn number goes. */
  readonly drawnOffset: number;
}

/** Bytes for the f32 values of a block. */
export const BLOCK_BYTES: number = 4 * BLOCK_ELEMENTS;
const ONLY_OUTPUT: FamilyBytes = { extra: 0, results: 0 };

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
    spec.working,
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
  const output = kernelOf(graph, spec, [graph.output], ONLY_OUTPUT, () =>
    outputSink(spec.outputDtype, spec.inputDtypes),
  );
  const kernelsOf = (stages: readonly Stage[]) => stages.map((s) => [s, stageKernelsOf(graph, spec, s)] as const);
  const [stageKernels, rowStageKernels] = [kernelsOf(graph.stages), kernelsOf(graph.rowStages)];
  const sorted = graph.rowStages.flatMap((s) => (s.family === "select" ? s.statistics : []));
  const values = new Set([...graph.ranks, ...sorted].map((e) => e.args[0]!));
  const valueKernels = new Map(
    [...values].map((value) => {
      const sink = (): Sink => outputSink("F32", spec.inputDtypes);
      return [value, kernelOf(graph, { ...spec, outputDtype: "F32" }, [value], ONLY_OUTPUT, sink)] as const;
    }),
  );
  const bytesOf = (kernels: readonly Kernel[]): number => Math.max(0, ...kernels.map((k) => k.plan.layout.bytes));
  const rowKernelsOffset = bytesOf([output, ...stageKernels.map(([, k]) => k.kernel)]);
  const rowKernels = [...valueKernels.values(), ...rowStageKernels.map(([, k]) => k.kernel)];
  const valuesOffset = rowKernelsOffset + bytesOf(rowKernels);
  const drawnOffset = valuesOffset + (valueKernels.size ? BLOCK_BYTES * (graph.ranks.length + 1) : 0);
  const scratchBytes = drawnOffset + BLOCK_BYTES * graph.drawn.length;
  return {
    ...{ spec, graph, output, valueKernels, rowKernelsOffset, valuesOffset, drawnOffset, scratchBytes },
    stageKernels: new Map([...stageKernels, ...rowStageKernels]),
  };
}

function stageKernelsOf(graph: MergeGraph, spec: ProgramSpec, stage: Stage): StageKernels {
  const { statistics } = stage;
  if (stage.family === "select") {
    const searched = statistics.map((s) => s.args[0]!);
    const sink = (plan: KernelPlan): Sink => histogramSink(plan.layout);
    const bytes = { extra: SEARCH_BYTES * searched.length, results: 0 };
    return { kernel: kernelOf(graph, spec, searched, bytes, sink), reductions: [] };
  }
  const reductions = statistics.map((s): Reduction => ({ kind: s.kind as ReductionKind, args: s.args }));
  const roots = reductions.flatMap((r) => r.args);
  const sink = (plan: KernelPlan): Sink => reductionSink(reductions, plan.layout);
  const bytes = { extra: 0, results: REDUCTION_BYTES * reductions.length };
  return { kernel: kernelOf(graph, spec, roots, bytes, sink), reductions };
}

function kernelOf(
  graph: MergeGraph,
  spec: ProgramSpec,
  roots: readonly Expr[],
  family: FamilyBytes,
  sink: (plan: KernelPlan) => Sink,
): Kernel {
  const plan = planKernel(roots, graph, family);
  const below = new Set(topological(roots, () => false));
  const beyondInputs = plan.inputs.map((i) => i - graph.inputs.length);
  let module: CompiledModule | undefined;
  return {
    plan,
    outputDtype: spec.outputDtype,
    ranks: beyondInputs.filter((i) => i >= 0 && i < graph.ranks.length),
    drawn: beyondInputs.map((i) => i - graph.ranks.length).filter((i) => i >= 0),
    readsRows: topological([...plan.uniforms, ...plan.cuts], () => false).some(isOfRow),
    reduces: family.results > 0,
    rowStages: graph.rowStages.filter((stage) => stage.statistics.some((s) => below.has(s))),
    module: () => {
      module ??= compileModule(emitKernel(plan, graph, spec.inputDtypes, sink(plan)));
      return module;
    },
  };
}

const isOfRow = (e: Expr): boolean => e.op === "statistic" && e.scope === "row";
