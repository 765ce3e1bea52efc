// The pass that reduces expressions to one number per lane: sums and dot products in float64,
// counts, minima and maxima. The host folds the lanes, in a fixed order.
import type { Expr, ReductionKind } from "../expr.ts";
import { BLOCK, type KernelFunction, type Local } from "./function.ts";
import type { Sink } from "./kernel.ts";
import { SIMD, V128 } from "./opcodes.ts";
import type { KernelPlan } from "./plan.ts";

export interface Reduction {
  readonly kind: ReductionKind;
  readonly args: readonly Expr[];
}

/** Bytes of a reduction's lanes: four f64, or four i32 or f32 and unused space. */
const LANES_BYTES = 32;
/** Bytes of a reduction in a run's results: the lanes of its whole vectors, then those of its padded one. */
export const REDUCTION_BYTES: number = 2 * LANES_BYTES;
/** Where in a run's results the lanes of one part of a reduction are. */
export const lanesOffset = (reduction: number, part: 0 | 1): number => REDUCTION_BYTES * reduction + LANES_BYTES * part;

const HIGH_HALF_FIRST = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

export function reductionSink(reductions: readonly Reduction[], { run: layout }: KernelPlan["layout"]): Sink {
  const accumulators: Accumulator[] = [];
  return {
    outputBytes: 0,
    body: (f, lanes, { mask }) => {
      let next = 0;
      const wide = widening(f, mask);
      reductions.forEach(({ kind, args }, i) => {
        const values = args.map(() => lanes[next++]!);
        accumulators[i] ??= accumulatorOf(f, kind);
        accumulate(f, kind, values, accumulators[i], { mask, wide });
      });
    },
    part: (f, run, part) => {
      accumulators.forEach(({ locals, start }, i) => {
        locals.forEach((local, half) => {
          f.get(run)
            .get(local)
            .memory(SIMD.store, layout.results + lanesOffset(i, part) + 16 * half);
          f.splat(start).set(local);
        });
      });
    },
    finish: (f) => {
      f.i32(0);
    },
  };
}

interface Accumulator {
  readonly locals: readonly Local[];
  readonly start: number;
}

function accumulatorOf(f: KernelFunction, kind: ReductionKind): Accumulator {
  const start = kind === "minimum" ? Infinity : kind === "maximum" ? -Infinity : 0;
  const locals = kind === "sum" || kind === "dot" ? [f.local(V128), f.local(V128)] : [f.local(V128)];
  if (start !== 0) f.before(() => f.splat(start).set(locals[0]!));
  return { locals, start };
}

/** A v128 of the parameter block, read once. */
export function loadedBefore(f: KernelFunction, offset: number, opcode: number = SIMD.load): Local {
  const local = f.local(V128);
  f.before(() => f.get(BLOCK).memory(opcode, offset).set(local));
  return local;
}

function accumulate(
  f: KernelFunction,
  kind: ReductionKind,
  values: readonly Local[],
  { locals, start }: Accumulator,
  { mask, wide }: { readonly mask: Local | undefined; readonly wide: ReturnType<typeof widening> },
): void {
  const [into, high] = locals as [Local, Local?];
  const pushCounted = (value: Local): void => {
    f.get(value);
    if (mask !== undefined) f.get(mask).simd(SIMD.and);
  };
  if (kind === "count") {
    // A true lane is -1.
    f.get(into);
    pushCounted(values[0]!);
    f.simd(SIMD.i32x4Sub).set(into);
    return;
  }
  if (high === undefined) {
    f.get(into).get(values[0]!);
    if (mask !== undefined) f.splat(start).get(mask).simd(SIMD.bitselect);
    f.simd(kind === "minimum" ? SIMD.f32x4Pmin : SIMD.f32x4Pmax).set(into);
    return;
  }
  for (const [sum, half] of [
    [into, 0],
    [high, 1],
  ] as const) {
    f.get(sum);
    for (const value of values) f.get(wide(value)[half]);
    if (values.length === 2) f.simd(SIMD.f64x2Mul);
    f.simd(SIMD.f64x2Add).set(sum);
  }
}

/** Gives the halves of values as float64 lanes, zero where they do not count; each value's once. */
function widening(f: KernelFunction, mask: Local | undefined): (value: Local) => readonly [Local, Local] {
  const known = new Map<Local, readonly [Local, Local]>();
  return (value) => {
    const before = known.get(value);
    if (before) return before;
    f.get(value);
    if (mask !== undefined) f.get(mask).simd(SIMD.and);
    const counted = f.keep();
    f.get(counted).simd(SIMD.promoteLowF32x4);
    const low = f.keep();
    f.get(counted).get(counted).shuffle(HIGH_HALF_FIRST).simd(SIMD.promoteLowF32x4);
    const halves = [low, f.keep()] as const;
    known.set(value, halves);
    return halves;
  };
}
