// The pass of an order statistic: for each searched expression, how many values lie above an
// interval of keys and how many in each part of it. Never sorts, never stores a value.
import { BLOCK, type KernelFunction, type Local } from "./function.ts";
import type { KernelPlan, Sink } from "./kernel.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import { loadedBefore } from "./reduce.ts";

/** Parts an interval is divided into at most; values outside it are counted in one more, which nobody reads. */
export const BINS = 2048;
/** Extra area: for each search low, high - low, high and shift; then lane counts of what is above and what is in; then histograms. */
export const intervalOffset = (search: number): number => 16 * search;
export const aboveOffset = (search: number, searches: number): number => 16 * searches + 32 * search;
export const insideOffset = (search: number, searches: number): number => aboveOffset(search, searches) + 16;
/** Four counters (one for each lane, so that neighbours do not wait for each other) for each bin. */
export const HISTOGRAM_BYTES: number = (BINS + 1) * 16;
export const histogramOffset = (search: number, searches: number): number => 48 * searches + HISTOGRAM_BYTES * search;
export const histogramsBytes = (searches: number): number => histogramOffset(searches, searches);

export function histogramSink(searches: number, layout: KernelPlan["layout"]): Sink {
  const counters: (readonly [at: number, local: Local])[] = [];
  return {
    outputBytes: 0,
    body: (f, lanes) => {
      const mask = loadedBefore(f, layout.laneMask);
      lanes.forEach((value, s) => {
        const at = layout.extra + intervalOffset(s);
        const low = loadedBefore(f, at, SIMD.load32Splat);
        const width = loadedBefore(f, at + 4, SIMD.load32Splat);
        const high = loadedBefore(f, at + 8, SIMD.load32Splat);
        const key = emitKey(f, value);
        const [above, within] = [f.local(V128), f.local(V128)];
        counters.push([aboveOffset(s, searches), above], [insideOffset(s, searches), within]);
        f.get(above).get(key).get(high).simd(SIMD.i32x4GtU).get(mask).simd(SIMD.and).simd(SIMD.i32x4Sub).set(above);
        f.get(key).get(low).simd(SIMD.i32x4Sub);
        const distance = f.keep();
        f.get(distance).get(width).simd(SIMD.i32x4LeU).get(mask).simd(SIMD.and);
        const inside = f.keep();
        f.get(within).get(inside).simd(SIMD.i32x4Sub).set(within);
        // One value wide, the interval needs no bins; then many elements may be in it and this branch is never taken.
        const divided = f.local(V128);
        f.before(() => f.get(width).splatBits(0).simd(SIMD.i32x4Ne).set(divided));
        f.get(inside).get(divided).simd(SIMD.and).simd(SIMD.anyTrue).op(OP.if, VOID);
        emitCounting(f, distance, inside, at + 12, layout.extra + histogramOffset(s, searches));
        f.op(OP.end);
      });
    },
    finish: (f) => {
      for (const [offset, local] of counters) {
        const at = layout.extra + offset;
        f.get(BLOCK).get(BLOCK).memory(SIMD.load, at).get(local).simd(SIMD.i32x4Add).memory(SIMD.store, at);
      }
      f.i32(0);
    },
  };
}

function emitCounting(f: KernelFunction, distance: Local, inside: Local, shiftAt: number, histogram: number): void {
  const shift = f.local(I32);
  f.before(() => f.get(BLOCK).op(OP.i32Load, 0, shiftAt).set(shift));
  f.get(distance).get(shift).simd(SIMD.i32x4ShrU).splatBits(BINS).get(inside).simd(SIMD.bitselect);
  f.i32(4).simd(SIMD.i32x4Shl);
  const offsets = f.keep();
  const address = f.local(I32);
  for (let lane = 0; lane < 4; lane++) {
    const counter = histogram + 4 * lane;
    f.get(offsets).simd(SIMD.i32x4ExtractLane, lane).get(BLOCK).op(OP.i32Add).tee(address);
    f.get(address).op(OP.i32Load, 0, counter).i32(1).op(OP.i32Add).op(OP.i32Store, 0, counter);
  }
}

/** The unsigned integer whose order is the float's; both zeros have the same. */
function emitKey(f: KernelFunction, value: Local): Local {
  f.get(value).splat(0).simd(SIMD.f32x4Add);
  const x = f.keep();
  f.get(x).i32(31).simd(SIMD.i32x4ShrS).splatBits(0x80000000).simd(SIMD.or).get(x).simd(SIMD.xor);
  return f.keep();
}
