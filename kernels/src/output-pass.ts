// The output pass of a program as devices run it, whatever their language: what it reads, what the host evaluates for it, and
// where its scalars change. The WebAssembly kernels have a plan of their own, which also serves statistics.
import { topological } from "./canonical.ts";
import type { DTypeName, FloatDType } from "./dtype.ts";
import type { Expr, InputExpr, InputRole, StatisticExpr } from "./expr.ts";
import { cutName, cutoffName } from "./graph.ts";
import { RANDOM_KEY, streamWords } from "./random.ts";
import { compileScalars, type ScalarProgram } from "./scalars.ts";
import { nextFloat32 } from "./statistics/key.ts";
import type { MergeGraph, Program, Scalars } from "./types.ts";

export interface OutputPass {
  /** What to compute for each element, arguments before users; scalars and constants are among them, evaluated by the host. */
  readonly nodes: readonly Expr[];
  readonly scalars: readonly Expr[];
  /** Positions in the program's inputs of those that are read. */
  readonly inputs: readonly number[];
  readonly inputDtypes: readonly FloatDType[];
  readonly outputDtype: FloatDType;
  /** Streams of random numbers. */
  readonly streams: readonly number[];
  /** Exact selections, whose scalars change at an element of the tensor. */
  readonly cuts: readonly StatisticExpr[];
  readonly evaluate: ScalarProgram;
}

/** Elements that share the values of all scalars. */
export interface ScalarRun {
  /** Where the run ends, counted from the window's first element. */
  readonly end: number;
  /** In the order of `OutputPass.scalars`; masks are 1 and 0. */
  readonly values: Float32Array;
}

/** Why no device can run the program's output pass; undefined when one can. */
export function deviceObstacle({ graph, spec }: Program): string | undefined {
  if ([spec.outputDtype, ...spec.inputDtypes].includes("U8")) return "it makes or reads masks";
  return graphObstacle(graph);
}

/** The same, whatever the dtypes. */
export function graphObstacle(graph: MergeGraph): string | undefined {
  if (topological([graph.output], (e) => e.scalar).some((e) => e.op === "drawn"))
    return "it draws mergekit's random numbers";
  if (graph.ranks.length > 0) return "it ranks the values of each row";
  return graph.rowwise ? "it has statistics of rows" : undefined;
}

/** Throws a TypeError for a program that `deviceObstacle` names a reason against. */
export function outputPassOf(program: Program): OutputPass {
  const { graph, spec } = program;
  const obstacle = deviceObstacle(program);
  if (obstacle !== undefined) throw new TypeError(`${spec.method} does not run on devices: ${obstacle}`);
  const nodes = topological([graph.output], (e) => e.scalar);
  const scalars = nodes.filter((e) => e.scalar);
  const below = topological(scalars, (e) => e.op === "statistic");
  const inputs = nodes.flatMap((e) => (e.op === "input" ? [positionOf(e, graph)] : [])).sort((a, b) => a - b);
  const float = (dtype: DTypeName): FloatDType => dtype as FloatDType;
  return {
    nodes,
    scalars,
    inputs,
    inputDtypes: inputs.map((i) => float(spec.inputDtypes[i]!)),
    outputDtype: float(spec.outputDtype),
    streams: nodes.flatMap((e) => (e.op === "random" ? [e.stream] : [])),
    cuts: below.flatMap((e) => (e.op === "cut" ? [e.args[0] as StatisticExpr] : [])),
    evaluate: compileScalars(scalars, graph.nameOf, "float32"),
  };
}

/** Where in the program's inputs the expression's value comes from. */
export function positionOf({ role }: InputExpr, { inputs }: Pick<MergeGraph, "inputs">): number {
  const key = (r: InputRole): string =>
    JSON.stringify([r.kind, r.kind === "base" ? 0 : r.model, r.kind === "companion" && r.companion]);
  return inputs.findIndex((r) => key(r) === key(role));
}

/**
 * The values of scalars over a window of `elements` that begins at the tensor's element `first`. A selection keeps its threshold
 * itself up to the cut-off only, and larger values after it: runs end there.
 */
export function scalarRuns(
  pass: OutputPass,
  graph: MergeGraph,
  scalars: Scalars,
  first: number,
  elements: number,
): ScalarRun[] {
  const selections = pass.cuts.map((s) => {
    const name = graph.nameOf(s);
    return { name, threshold: known(scalars, name), cutoff: known(scalars, cutoffName(name)) };
  });
  const inside = selections.map((s) => s.cutoff - first).filter((end) => end > 0 && end < elements);
  const ends = [...new Set([...inside, elements])].sort((a, b) => a - b);
  const found = new Float64Array(pass.scalars.length);
  return ends.map((end, i) => {
    const begin = first + (ends[i - 1] ?? 0);
    const cuts = selections.map(
      ({ name, threshold, cutoff }) => [cutName(name), begin < cutoff ? threshold : nextFloat32(threshold)] as const,
    );
    pass.evaluate({ ...scalars, ...Object.fromEntries(cuts) }, found);
    return { end, values: Float32Array.from(found) };
  });
}

/** Two words for each stream of random numbers, in order. */
export const randomWords = ({ streams }: OutputPass, scalars: Scalars): number[] =>
  streams.flatMap((stream) => streamWords(known(scalars, RANDOM_KEY), stream));

function known(scalars: Scalars, name: string): number {
  const value = scalars[name];
  if (value === undefined) throw new RangeError(`scalar ${name} is missing: the caller or an earlier stage gives it`);
  return value;
}
