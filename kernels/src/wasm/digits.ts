// The pass of an order statistic: counts, for each searched expression, the next binary digits of
// those values whose leading digits are already known. Never sorts, never stores a value.
import type { KernelFunction } from "./function.ts";
import { BLOCK, type Local } from "./function.ts";
import type { KernelPlan, Sink } from "./kernel.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import { loadedBefore } from "./reduce.ts";

/** Bins of a digit; values that do not count go to one more. */
export const BINS = 2048;
/** Extra area: shift and bin mask, then known-digits mask and value of each search, then the histograms. */
export const searchOffset = (search: number): number => 16 + 8 * search;
const searchesBytes = (searches: number): number => (searchOffset(searches) + 15) & ~15;
/** Four counters (one for each lane, so that neighbours do not wait for each other) for each bin. */
export const HISTOGRAM_BYTES: number = (BINS + 1) * 16;
export const histogramOffset = (search: number, searches: number): number =>
  searchesBytes(searches) + HISTOGRAM_BYTES * search;
export const digitsBytes = (searches: number): number => histogramOffset(searches, searches);

export function digitsSink(searches: number, layout: KernelPlan["layout"]): Sink {
  return {
    outputBytes: 0,
    body: (f, lanes) => {
      const mask = loadedBefore(f, layout.laneMask);
      const binMask = loadedBefore(f, layout.extra + 4, SIMD.load32Splat);
      const shift = f.local(I32);
      f.before(() => f.get(BLOCK).op(OP.i32Load, 0, layout.extra).set(shift));
      const offsets = f.local(V128);
      const address = f.local(I32);
      lanes.forEach((value, s) => {
        const knownMask = loadedBefore(f, layout.extra + searchOffset(s), SIMD.load32Splat);
        const known = loadedBefore(f, layout.extra + searchOffset(s) + 4, SIMD.load32Splat);
        const key = emitKey(f, value);
        f.get(key).get(knownMask).simd(SIMD.and).get(known).simd(SIMD.i32x4Eq).get(mask).simd(SIMD.and);
        const counts = f.keep();
        f.get(counts).simd(SIMD.anyTrue).op(OP.if, VOID);
        f.get(key).get(shift).simd(SIMD.i32x4ShrU).get(binMask).simd(SIMD.and);
        f.splatBits(BINS).get(counts).simd(SIMD.bitselect).i32(4).simd(SIMD.i32x4Shl).set(offsets);
        for (let lane = 0; lane < 4; lane++) {
          const counter = layout.extra + histogramOffset(s, searches) + 4 * lane;
          f.get(offsets).simd(SIMD.i32x4ExtractLane, lane).get(BLOCK).op(OP.i32Add).tee(address);
          f.get(address).op(OP.i32Load, 0, counter).i32(1).op(OP.i32Add).op(OP.i32Store, 0, counter);
        }
        f.op(OP.end);
      });
    },
    finish: (f) => {
      f.i32(0);
    },
  };
}

/** The unsigned integer whose order is the float's; both zeros have the same. */
function emitKey(f: KernelFunction, value: Local): Local {
  f.get(value).splat(0).simd(SIMD.f32x4Add);
  const x = f.keep();
  f.get(x).i32(31).simd(SIMD.i32x4ShrS).splatBits(0x80000000).simd(SIMD.or).get(x).simd(SIMD.xor);
  return f.keep();
}
