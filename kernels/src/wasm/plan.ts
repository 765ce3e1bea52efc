// What a kernel reads and computes, and how its parameter block is laid out: everything about it but its bytes.
import { topological } from "../canonical.ts";
import type { DrawnExpr, Expr, InputExpr, InputRole, RankExpr, StatisticExpr } from "../expr.ts";
import type { MergeGraph } from "../types.ts";

/** Byte offsets in the parameter block that the host fills before a call. */
export interface KernelLayout {
  /** u32 each, in the order of `inputs`, then the output. */
  readonly pointers: number;
  /** The first element's index in the tensor, u32: what is above 2^32 is lost. */
  readonly index: number;
  /** Two words for each stream of random numbers; u32 each. */
  readonly random: number;
  /** Where the last few elements of a run are padded. */
  readonly staging: number;
  /** What the kernel's family needs for a call. */
  readonly extra: number;
  /** The runs of a call. */
  readonly runs: number;
  readonly run: RunLayout;
  readonly bytes: number;
}
/** Byte offsets in what describes a run: elements that lie behind those of the run before and share their scalars. */
export interface RunLayout {
  /** u32. */
  readonly elements: number;
  /** f32 each. */
  readonly uniforms: number;
  /** What the kernel leaves there. */
  readonly results: number;
  readonly bytes: number;
}
/** Bytes a family of kernels needs for a call and for each run. */
export interface FamilyBytes {
  readonly extra: number;
  readonly results: number;
}

/** Runs in one call at most. */
export const MOST_RUNS = 64;
/** Bytes for four elements of the widest dtype. */
export const STAGING_BYTES = 32;

/** Everything about a kernel but its bytes. */
export interface KernelPlan {
  readonly roots: readonly Expr[];
  /** Loop invariants, evaluated by the host. */
  readonly uniforms: readonly Expr[];
  /** Exact selections at whose index cut-off a call has to end. */
  readonly cuts: readonly StatisticExpr[];
  /** Streams of random numbers. */
  readonly streams: readonly number[];
  /** Positions in the program's inputs, and the graph's ranks and drawn numbers after them, of those the kernel reads. */
  readonly inputs: readonly number[];
  readonly layout: KernelLayout;
}

/** What a kernel is given and does not compute. */
export const isGiven = (e: Expr): boolean => e.scalar || e.op === "rank";
export const isLoaded = (e: Expr): e is InputExpr | RankExpr | DrawnExpr =>
  e.op === "input" || e.op === "rank" || e.op === "drawn";
export type Sources = Pick<MergeGraph, "inputs" | "ranks" | "drawn">;

export function planKernel(roots: readonly Expr[], sources: Sources, family: FamilyBytes): KernelPlan {
  const nodes = topological(roots, isGiven);
  const uniforms = nodes.filter((e) => e.scalar && e.op !== "const");
  const below = topological(uniforms, (e) => e.op === "statistic");
  const cuts = below.flatMap((e) => (e.op === "cut" ? [e.args[0] as StatisticExpr] : []));
  const read = nodes
    .filter(isLoaded)
    .map((e) => positionOf(e, sources))
    .sort((a, b) => a - b);
  const streams = nodes.flatMap((e) => (e.op === "random" ? [e.stream] : []));
  const run = regions({ elements: 4, uniforms: 4 * uniforms.length, results: family.results });
  const layout = regions({
    pointers: 4 * (read.length + 1),
    index: 4,
    random: 8 * streams.length,
    staging: STAGING_BYTES * (read.length + 1),
    extra: family.extra,
    runs: run.bytes * MOST_RUNS,
  });
  return { roots, uniforms, cuts, streams, inputs: read, layout: { ...layout, run } };
}

/** Offsets of regions of these sizes behind each other, each a multiple of 16. */
function regions<T extends string>(sizes: Readonly<Record<T, number>>): Record<T | "bytes", number> {
  let bytes = 0;
  const offsets: Record<string, number> = {};
  for (const [name, size] of Object.entries<number>(sizes)) {
    offsets[name] = bytes;
    bytes += (size + 15) & ~15;
  }
  return { ...(offsets as Record<T, number>), bytes };
}

/** Ranks and drawn numbers are read like inputs, and come after them. */
export function positionOf(e: InputExpr | RankExpr | DrawnExpr, { inputs, ranks, drawn }: Sources): number {
  if (e.op === "rank") return inputs.length + ranks.indexOf(e);
  if (e.op === "drawn") return inputs.length + ranks.length + drawn.indexOf(e);
  const same = (r: InputRole): boolean =>
    r.kind === e.role.kind &&
    (r.kind === "base" || (e.role.kind !== "base" && r.model === e.role.model)) &&
    (r.kind !== "companion" || (e.role.kind === "companion" && r.companion === e.role.companion));
  return inputs.findIndex(same);
}
