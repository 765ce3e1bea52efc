// The fused loop every kernel is: load the inputs it needs, compute all its expressions once for
// four elements, hand the results to a sink (store, accumulate, count), step on.
import { topological } from "../canonical.ts";
import type { DTypeName } from "../dtype.ts";
import { dtypeBytes } from "../dtype.ts";
import type { Expr, InputExpr, InputRole, Operator, RankExpr, StatisticExpr } from "../expr.ts";
import type { MergeGraph } from "../types.ts";
import { BLOCK, ELEMENTS, KernelFunction, type Local } from "./function.ts";
import { loadLanes } from "./lanes.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import { emitUniform } from "./random.ts";

/** Byte offsets in the parameter block that the host fills before a call. */
export interface KernelLayout {
  /** f32 each. */
  readonly uniforms: number;
  /** Where random numbers are used: the first element's index, then two words for each stream; u32 each. */
  readonly random: number;
  /** u32 each, in the order of `inputs`, then the output. */
  readonly pointers: number;
  /** Four i32: all ones for lanes that count. */
  readonly laneMask: number;
  /** What the kernel's family needs beyond that. */
  readonly extra: number;
  readonly bytes: number;
}

/** Everything about a kernel but its bytes. */
export interface KernelPlan {
  readonly roots: readonly Expr[];
  /** Loop invariants, evaluated by the host. */
  readonly uniforms: readonly Expr[];
  /** Exact selections at whose index cut-off a call has to end. */
  readonly cuts: readonly StatisticExpr[];
  /** Streams of random numbers. */
  readonly streams: readonly number[];
  /** Positions in the program's inputs, and the graph's ranks after them, of those the kernel reads. */
  readonly inputs: readonly number[];
  readonly layout: KernelLayout;
}

/** What a kernel is given and does not compute. */
const isGiven = (e: Expr): boolean => e.scalar || e.op === "rank";
type Sources = Pick<MergeGraph, "inputs" | "ranks">;

export function planKernel(roots: readonly Expr[], sources: Sources, extraBytes: number): KernelPlan {
  const nodes = topological(roots, isGiven);
  const uniforms = nodes.filter((e) => e.scalar && e.op !== "const");
  const below = topological(uniforms, (e) => e.op === "statistic");
  const cuts = below.flatMap((e) => (e.op === "cut" ? [e.args[0] as StatisticExpr] : []));
  const loaded = nodes.filter((e) => e.op === "input" || e.op === "rank");
  const read = loaded.map((e) => positionOf(e, sources)).sort((a, b) => a - b);
  const streams = nodes.flatMap((e) => (e.op === "random" ? [e.stream] : []));
  let bytes = 0;
  const take = (size: number): number => {
    const at = bytes;
    bytes += (size + 15) & ~15;
    return at;
  };
  const layout = {
    uniforms: take(4 * uniforms.length),
    random: take(streams.length ? 4 + 8 * streams.length : 0),
    pointers: take(4 * (read.length + 1)),
    laneMask: take(16),
    extra: take(extraBytes),
  };
  return { roots, uniforms, cuts, streams, inputs: read, layout: { ...layout, bytes } };
}

/** Ranks are read like inputs, and come after them. */
function positionOf(e: InputExpr | RankExpr, { inputs, ranks }: Sources): number {
  if (e.op === "rank") return inputs.length + ranks.indexOf(e);
  const same = (r: InputRole): boolean =>
    r.kind === e.role.kind &&
    (r.kind === "base" || (e.role.kind !== "base" && r.model === e.role.model)) &&
    (r.kind !== "companion" || (e.role.kind === "companion" && r.companion === e.role.companion));
  return inputs.findIndex(same);
}

/** What a family of kernels adds to the loop. */
export interface Sink {
  /** Called in the loop, once; `lanes` are the values of the plan's roots, `output` the pointer to store to. */
  readonly body: (f: KernelFunction, lanes: readonly Local[], output: Local) => void;
  /** Called after the loop; pushes the i32 result. */
  readonly finish: (f: KernelFunction) => void;
  /** Bytes the output pointer moves by for one element; 0 when nothing is stored. */
  readonly outputBytes: number;
  /** Called for each input value the loop reads. */
  readonly observe?: (f: KernelFunction, lanes: Local) => void;
}

/** Emits the module. `run(block, elements)` wants a multiple of four elements. */
export function emitKernel(
  plan: KernelPlan,
  sources: Sources,
  inputDtypes: readonly DTypeName[],
  sink: Sink,
): Uint8Array {
  const f = new KernelFunction();
  const dtypes = [...inputDtypes, ...sources.ranks.map(() => "F32" as const)];
  const pointers = plan.inputs.map(() => f.local(I32));
  const output = f.local(I32);
  [...pointers, output].forEach((p, i) => {
    f.get(BLOCK)
      .op(OP.i32Load, 0, plan.layout.pointers + 4 * i)
      .set(p);
  });
  const lanes = new Map<Expr, Local>();
  plan.uniforms.forEach((e, i) => {
    f.get(BLOCK).memory(SIMD.load32Splat, plan.layout.uniforms + 4 * i);
    // The host writes truth as 1.
    if (e.type === "mask") f.splat(0).simd(SIMD.f32x4Ne);
    lanes.set(e, f.keep());
  });

  const splatted = (word: number): Local =>
    f
      .get(BLOCK)
      .memory(SIMD.load32Splat, plan.layout.random + 4 * word)
      .keep();
  const words = plan.streams.map((_, i) => [splatted(1 + 2 * i), splatted(2 + 2 * i)] as const);
  const indexes = f.local(V128);
  if (words.length) f.get(splatted(0)).lanes([0, 1, 2, 3]).simd(SIMD.i32x4Add).set(indexes);

  f.op(OP.block, VOID).get(ELEMENTS).op(OP.i32Eqz).op(OP.brIf, 0).op(OP.loop, VOID);
  for (const e of topological(plan.roots, isGiven)) {
    if (lanes.has(e)) continue;
    if (e.op === "const") {
      f.splat(e.value);
    } else if (e.op === "input" || e.op === "rank") {
      const position = positionOf(e, sources);
      loadLanes(f, dtypes[position]!, pointers[plan.inputs.indexOf(position)]!);
    } else if (e.op === "random") {
      emitUniform(f, indexes, words[plan.streams.indexOf(e.stream)]!);
    } else emitOperator(f, e, lanes);
    const value = f.keep();
    lanes.set(e, value);
    if (e.op === "input") sink.observe?.(f, value);
  }
  sink.body(
    f,
    plan.roots.map((r) => lanes.get(r)!),
    output,
  );
  pointers.forEach((p, i) => {
    f.get(p)
      .i32(4 * dtypeBytes(dtypes[plan.inputs[i]!]!))
      .op(OP.i32Add)
      .set(p);
  });
  if (words.length) f.get(indexes).splatBits(4).simd(SIMD.i32x4Add).set(indexes);
  if (sink.outputBytes)
    f.get(output)
      .i32(4 * sink.outputBytes)
      .op(OP.i32Add)
      .set(output);

  f.get(ELEMENTS).i32(4).op(OP.i32Sub).tee(ELEMENTS).op(OP.brIf, 0).op(OP.end).op(OP.end);
  sink.finish(f);
  return f.module();
}

const LANE_OPERATORS: Readonly<Partial<Record<Operator, number>>> = {
  add: SIMD.f32x4Add,
  sub: SIMD.f32x4Sub,
  mul: SIMD.f32x4Mul,
  div: SIMD.f32x4Div,
  min: SIMD.f32x4Pmin,
  max: SIMD.f32x4Pmax,
  abs: SIMD.f32x4Abs,
  neg: SIMD.f32x4Neg,
  sqrt: SIMD.f32x4Sqrt,
  floor: SIMD.f32x4Floor,
  eq: SIMD.f32x4Eq,
  ne: SIMD.f32x4Ne,
  lt: SIMD.f32x4Lt,
  le: SIMD.f32x4Le,
  gt: SIMD.f32x4Gt,
  ge: SIMD.f32x4Ge,
  and: SIMD.and,
  or: SIMD.or,
  xor: SIMD.xor,
  not: SIMD.not,
};

function emitOperator(f: KernelFunction, e: Expr, lanes: ReadonlyMap<Expr, Local>): void {
  if (e.op === "select") {
    const [mask, a, b] = e.args as [Expr, Expr, Expr];
    f.get(lanes.get(a)!);
    if (b.op === "const" && Object.is(b.value, 0)) f.get(lanes.get(mask)!).simd(SIMD.and);
    else f.get(lanes.get(b)!).get(lanes.get(mask)!).simd(SIMD.bitselect);
    return;
  }
  for (const a of e.args) f.get(lanes.get(a)!);
  if (e.op === "powerOfTwo") {
    f.splat(127).simd(SIMD.f32x4Pmin).splat(-126).simd(SIMD.f32x4Pmax).simd(SIMD.i32x4TruncSatF32x4S);
    f.splatBits(127).simd(SIMD.i32x4Add).i32(23).simd(SIMD.i32x4Shl);
    return;
  }
  if (e.op === "exponent") {
    f.i32(23).simd(SIMD.i32x4ShrU).splatBits(127).simd(SIMD.i32x4Sub).simd(SIMD.f32x4ConvertI32x4S);
    return;
  }
  const opcode = LANE_OPERATORS[e.op as Operator];
  if (opcode === undefined) throw new TypeError(`${e.op} has no lane operator: it must be scalar`);
  f.simd(opcode);
}
