// The pass that reduces expressions to one number per lane: sums and dot products in float64,
// counts, minima and maxima. The host folds the lanes, in a fixed order.
import type { Expr, ReductionKind } from "../expr.ts";
import { BLOCK, type KernelFunction, type Local } from "./function.ts";
import type { KernelPlan, Sink } from "./kernel.ts";
import { SIMD, V128 } from "./opcodes.ts";

export interface Reduction {
  readonly kind: ReductionKind;
  readonly args: readonly Expr[];
}

/** Bytes of a reduction's lanes in the kernel's extra area: four f64, or four i32 or f32 and unused space. */
export const REDUCTION_BYTES = 32;

const HIGH_HALF_FIRST = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

export function reductionSink(reductions: readonly Reduction[], layout: KernelPlan["layout"]): Sink {
  const accumulators: (readonly Local[])[] = [];
  return {
    outputBytes: 0,
    body: (f, lanes) => {
      const mask = loadedBefore(f, layout.laneMask);
      let next = 0;
      for (const { kind, args } of reductions) {
        const values = args.map(() => lanes[next++]!);
        accumulators.push(accumulate(f, kind, values, mask));
      }
    },
    finish: (f) => {
      accumulators.forEach((locals, i) => {
        locals.forEach((local, half) => {
          f.get(BLOCK)
            .get(local)
            .memory(SIMD.store, layout.extra + REDUCTION_BYTES * i + 16 * half);
        });
      });
      f.i32(0);
    },
  };
}

/** A v128 of the parameter block, read once. */
export function loadedBefore(f: KernelFunction, offset: number, opcode: number = SIMD.load): Local {
  const local = f.local(V128);
  f.before(() => f.get(BLOCK).memory(opcode, offset).set(local));
  return local;
}

function accumulate(f: KernelFunction, kind: ReductionKind, values: readonly Local[], mask: Local): readonly Local[] {
  const [x, y] = values as [Local, Local?];
  const into = f.local(V128);
  switch (kind) {
    case "count":
      // A true lane is -1.
      f.get(into).get(x).get(mask).simd(SIMD.and).simd(SIMD.i32x4Sub).set(into);
      return [into];
    case "minimum":
    case "maximum": {
      const start = kind === "minimum" ? Infinity : -Infinity;
      f.before(() => f.splat(start).set(into));
      f.get(into).get(x).splat(start).get(mask).simd(SIMD.bitselect);
      f.simd(kind === "minimum" ? SIMD.f32x4Pmin : SIMD.f32x4Pmax).set(into);
      return [into];
    }
    default: {
      const high = f.local(V128);
      const counted = [x, y].flatMap((v) => (v === undefined ? [] : [f.get(v).get(mask).simd(SIMD.and).keep()]));
      const addHalf = (sum: Local, upper: boolean): void => {
        f.get(sum);
        for (const v of counted) {
          f.get(v);
          if (upper) f.get(v).shuffle(HIGH_HALF_FIRST);
          f.simd(SIMD.promoteLowF32x4);
        }
        if (counted.length === 2) f.simd(SIMD.f64x2Mul);
        f.simd(SIMD.f64x2Add).set(sum);
      };
      addHalf(into, false);
      addHalf(high, true);
      return [into, high];
    }
  }
}
