// The fused loop every kernel is: load the inputs it needs, compute all its expressions once for four elements, hand the results
// to a sink (store, accumulate, count), step on. The last one to three elements of a run are copied to a place of their own and
// padded to four, so that no byte outside the run is touched, and an element's result does not depend on its place in a vector.
import { topological } from "../canonical.ts";
import type { DTypeName } from "../dtype.ts";
import { dtypeBytes } from "../dtype.ts";
import type { Expr, Operator } from "../expr.ts";
import { BLOCK, COUNT, KernelFunction, type Local } from "./function.ts";
import { loadLanes, roundLanes } from "./lanes.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import { isGiven, isLoaded, type KernelPlan, positionOf, type Sources, STAGING_BYTES } from "./plan.ts";
import { emitUniform } from "./random.ts";

/** Where four elements are. */
export interface Place {
  /** The pointer to store to. */
  readonly output: Local;
  /** The first one's index, i32. */
  readonly index: Local;
  /** Which of them count; all where it is left out. */
  readonly mask?: Local;
}

/** What a family of kernels adds to the loop. */
export interface Sink {
  /** Called in the loop, and once more for the padded elements at a run's end. `lanes` are the values of the plan's roots. */
  readonly body: (f: KernelFunction, lanes: readonly Local[], at: Place) => void;
  /** Called after a run's whole vectors (part 0) and after its padded one (part 1), if there is one or not. */
  readonly part?: (f: KernelFunction, run: Local, part: 0 | 1) => void;
  /** Called after the last run; pushes the i32 result. */
  readonly finish: (f: KernelFunction) => void;
  /** Whether it uses the elements' indexes. */
  readonly isIndexed?: true;
  /** Bytes the output pointer moves by for one element; 0 when nothing is stored. */
  readonly outputBytes: number;
  /** Called for each input value the loop reads. */
  readonly observe?: (f: KernelFunction, lanes: Local) => void;
}

/** Emits the module. `run(block, runs)` wants the block filled and at least one run. */
export function emitKernel(
  plan: KernelPlan,
  sources: Sources,
  inputDtypes: readonly DTypeName[],
  sink: Sink,
): Uint8Array {
  const f = new KernelFunction();
  const { layout } = plan;
  const dtypes = [...inputDtypes, ...[...sources.ranks, ...sources.drawn].map(() => "F32" as const)];
  const sizes = plan.inputs.map((i) => dtypeBytes(dtypes[i]!));
  const word = (offset: number): Local => {
    const local = f.local(I32);
    f.get(BLOCK).op(OP.i32Load, 0, offset).set(local);
    return local;
  };
  const pointers = plan.inputs.map((_, i) => word(layout.pointers + 4 * i));
  const output = word(layout.pointers + 4 * pointers.length);
  const index = word(layout.index);
  const streams = plan.streams.map((_, i) => {
    const [first, second] = [0, 4].map((at) => {
      f.get(BLOCK).memory(SIMD.load32Splat, layout.random + 8 * i + at);
      return f.keep();
    });
    return [first!, second!] as const;
  });
  const [run, left, rest] = [f.local(I32), f.local(I32), f.local(I32)];
  const indexes = f.local(V128);
  const isIndexed = streams.length > 0 || sink.isIndexed === true;
  const lanes = new Map<Expr, Local>(plan.uniforms.map((e) => [e, f.local(V128)]));
  const isUniform = new Set<Expr>(plan.uniforms);

  const advance = (pointer: Local, emitBytes: () => void): void => {
    f.get(pointer);
    emitBytes();
    f.op(OP.i32Add).set(pointer);
  };
  const emitBody = (from: readonly Local[], at: Place): void => {
    for (const e of topological(plan.roots, isGiven)) {
      if (isUniform.has(e)) continue;
      if (e.op === "const") {
        f.splat(e.value);
      } else if (isLoaded(e)) {
        const position = positionOf(e, sources);
        loadLanes(f, dtypes[position]!, from[plan.inputs.indexOf(position)]!);
      } else if (e.op === "random") {
        emitUniform(f, indexes, streams[plan.streams.indexOf(e.stream)]!);
      } else emitOperator(f, e, lanes);
      const value = lanes.get(e) ?? f.local(V128);
      f.set(value);
      lanes.set(e, value);
      if (e.op === "input") sink.observe?.(f, value);
    }
    const values = plan.roots.map((r) => lanes.get(r)!);
    sink.body(f, values, at);
  };

  f.get(BLOCK).i32(layout.runs).op(OP.i32Add).set(run);
  f.op(OP.loop, VOID);
  plan.uniforms.forEach((e, i) => {
    f.get(run).memory(SIMD.load32Splat, layout.run.uniforms + 4 * i);
    // The host writes truth as 1.
    if (e.type === "mask") f.splat(0).simd(SIMD.f32x4Ne);
    f.set(lanes.get(e)!);
  });
  f.get(run).op(OP.i32Load, 0, layout.run.elements).tee(left).i32(3).op(OP.i32And).set(rest);
  if (streams.length) f.get(index).simd(SIMD.i32x4Splat).lanes([0, 1, 2, 3]).simd(SIMD.i32x4Add).set(indexes);
  f.get(left).get(rest).op(OP.i32Sub).set(left);

  f.op(OP.block, VOID).get(left).op(OP.i32Eqz).op(OP.brIf, 0).op(OP.loop, VOID);
  emitBody(pointers, { output, index });
  pointers.forEach((p, i) => {
    advance(p, () => f.i32(4 * sizes[i]!));
  });
  if (sink.outputBytes) advance(output, () => f.i32(4 * sink.outputBytes));
  if (streams.length) f.get(indexes).splatBits(4).simd(SIMD.i32x4Add).set(indexes);
  if (isIndexed) advance(index, () => f.i32(4));
  f.get(left).i32(4).op(OP.i32Sub).tee(left).op(OP.brIf, 0).op(OP.end).op(OP.end);
  sink.part?.(f, run, 0);

  f.get(rest).op(OP.if, VOID);
  const padded = [...pointers, output].map((_, i) => {
    const local = f.local(I32);
    f.get(BLOCK)
      .i32(layout.staging + STAGING_BYTES * i)
      .op(OP.i32Add)
      .set(local);
    return local;
  });
  pointers.forEach((p, i) => {
    // Lanes without an element repeat the first one, so that they cannot raise a flag it does not raise.
    for (let lane = 0; lane < 4; lane++) {
      f.get(padded[i]!).get(p);
      if (lane)
        f.i32(lane * sizes[i]!)
          .i32(0)
          .get(rest)
          .i32(lane)
          .op(OP.i32GtU)
          .op(OP.select)
          .op(OP.i32Add);
      copyElement(f, sizes[i]!, lane * sizes[i]!);
    }
    advance(p, () => f.get(rest).i32(sizes[i]!).op(OP.i32Mul));
  });
  f.get(rest).simd(SIMD.i32x4Splat).lanes([0, 1, 2, 3]).simd(SIMD.i32x4GtS);
  emitBody(padded.slice(0, -1), { output: padded.at(-1)!, index, mask: f.keep() });
  for (let lane = 0; lane < 3 && sink.outputBytes; lane++) {
    f.get(rest).i32(lane).op(OP.i32GtU).op(OP.if, VOID);
    f.get(output)
      .get(padded.at(-1)!)
      .i32(lane * sink.outputBytes)
      .op(OP.i32Add);
    copyElement(f, sink.outputBytes, lane * sink.outputBytes);
    f.op(OP.end);
  }
  if (sink.outputBytes) advance(output, () => f.get(rest).i32(sink.outputBytes).op(OP.i32Mul));
  advance(index, () => f.get(rest));
  f.op(OP.end);
  sink.part?.(f, run, 1);

  advance(run, () => f.i32(layout.run.bytes));
  f.get(COUNT).i32(1).op(OP.i32Sub).tee(COUNT).op(OP.brIf, 0).op(OP.end);
  sink.finish(f);
  return f.module();
}

const COPIES: Readonly<Record<number, readonly [load: number, store: number]>> = {
  1: [OP.i32Load8U, OP.i32Store8],
  2: [OP.i32Load16U, OP.i32Store16],
  4: [OP.i32Load, OP.i32Store],
  8: [OP.i64Load, OP.i64Store],
};
/** Pops two addresses and copies an element from the second one to that many bytes behind the first. */
function copyElement(f: KernelFunction, bytes: number, offset: number): void {
  const [load, store] = COPIES[bytes]!;
  f.op(load, 0, 0).op(store, 0, offset);
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
  if (e.op === "roundBF16" || e.op === "roundF16") {
    roundLanes(f, e.op === "roundBF16" ? "BF16" : "F16");
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
