// The pass of an order statistic: for each searched expression, how many values lie above an interval, how many in each part of
// it, and, while there are few, which. Never sorts.
import { BLOCK, type KernelFunction, type Local } from "./function.ts";
import type { KernelPlan, Sink } from "./kernel.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import { loadedBefore } from "./reduce.ts";

/** Parts an interval is divided into at most; values outside it are counted in one more, which nobody reads. */
export const BINS = 2048;
/** How many of the values in its interval a search can store in one run: as key and position in the run. */
export const MOST_STORED = 4096;
const STORED_BYTES = 8;
/** Four counters (one for each lane, so that neighbours do not wait for each other) for each bin. */
const BIN_BYTES = 16;

type SearchField =
  | ("lowKey" | "shift" | "low" | "high" | "divided" | "stored")
  | ("notAbove" | "inside" | "bins" | "values");
/** Byte offsets in a search's part of the extra area: what the host sets, what it reads, and both. */
export const SEARCH: Readonly<Record<SearchField, number>> = {
  lowKey: 0,
  shift: 4,
  low: 8,
  high: 12,
  /** All ones unless the interval is a single value, which needs no parts; then most elements may be in it. */
  divided: 16,
  /** How many values are stored; MOST_STORED also stands for more. */
  stored: 20,
  /** Lane counts of values that are not above the interval; NaN is above. */
  notAbove: 32,
  /** Lane counts of values in it. */
  inside: 48,
  bins: 64,
  values: 64 + (BINS + 1) * BIN_BYTES,
};
export const SEARCH_BYTES: number = SEARCH.values + (MOST_STORED + 4) * STORED_BYTES;

export function histogramSink(layout: KernelPlan["layout"]): Sink {
  const counters: (readonly [at: number, local: Local])[] = [];
  const stored: (readonly [at: number, next: Local])[] = [];
  return {
    outputBytes: 0,
    body: (f, lanes) => {
      const mask = loadedBefore(f, layout.laneMask);
      const position = f.local(I32);
      const divided: Local[] = [];
      lanes.forEach((value, s) => {
        const at = layout.extra + SEARCH_BYTES * s;
        const low = loadedBefore(f, at + SEARCH.low, SIMD.load32Splat);
        const high = loadedBefore(f, at + SEARCH.high, SIMD.load32Splat);
        const canDivide = loadedBefore(f, at + SEARCH.divided, SIMD.load32Splat);
        const [notAbove, within] = [f.local(V128), f.local(V128)];
        counters.push([at + SEARCH.notAbove, notAbove], [at + SEARCH.inside, within]);
        const below = f.get(value).get(high).simd(SIMD.f32x4Le).get(mask).simd(SIMD.and).keep();
        // A true lane is -1.
        f.get(notAbove).get(below).simd(SIMD.i32x4Sub).set(notAbove);
        const inside = f.get(value).get(low).simd(SIMD.f32x4Ge).get(below).simd(SIMD.and).keep();
        f.get(within).get(inside).simd(SIMD.i32x4Sub).set(within);
        divided.push(f.get(inside).get(canDivide).simd(SIMD.and).keep());
      });
      f.get(divided[0]!);
      for (const d of divided.slice(1)) f.get(d).simd(SIMD.or);
      f.simd(SIMD.anyTrue).op(OP.if, VOID);
      lanes.forEach((value, s) => {
        f.get(divided[s]!).simd(SIMD.anyTrue).op(OP.if, VOID);
        stored.push(emitCounting(f, value, divided[s]!, position, layout.extra + SEARCH_BYTES * s));
        f.op(OP.end);
      });
      f.op(OP.end);
      f.get(position).i32(4).op(OP.i32Add).set(position);
    },
    finish: (f) => {
      for (const [at, local] of counters)
        f.get(BLOCK).get(BLOCK).memory(SIMD.load, at).get(local).simd(SIMD.i32x4Add).memory(SIMD.store, at);
      for (const [at, next] of stored) {
        f.get(BLOCK).get(next).get(BLOCK).op(OP.i32Sub);
        f.i32(at + SEARCH.values)
          .op(OP.i32Sub)
          .i32(3)
          .op(OP.i32ShrU);
        f.op(OP.i32Store, 0, at + SEARCH.stored);
      }
      f.i32(0);
    },
  };
}

/** Counts the lanes that are inside in their bins and stores them; returns where the next stored value goes. */
function emitCounting(f: KernelFunction, value: Local, inside: Local, position: Local, search: number) {
  const [shift, next, end] = [f.local(I32), f.local(I32), f.local(I32)];
  f.before(() => {
    const start = search + SEARCH.values;
    f.get(BLOCK)
      .op(OP.i32Load, 0, search + SEARCH.shift)
      .set(shift);
    f.get(BLOCK).i32(start).op(OP.i32Add).set(next);
    f.get(next)
      .i32(MOST_STORED * STORED_BYTES)
      .op(OP.i32Add)
      .set(end);
  });
  const low = loadedBefore(f, search + SEARCH.lowKey, SIMD.load32Splat);
  const key = emitKey(f, value);
  f.get(key).get(low).simd(SIMD.i32x4Sub).get(shift).simd(SIMD.i32x4ShrU);
  f.splatBits(BINS).get(inside).simd(SIMD.bitselect).i32(4).simd(SIMD.i32x4Shl);
  const offsets = f.keep();
  const address = f.local(I32);
  for (let lane = 0; lane < 4; lane++) {
    const counter = search + SEARCH.bins + 4 * lane;
    f.get(offsets).simd(SIMD.i32x4ExtractLane, lane).get(BLOCK).op(OP.i32Add).tee(address);
    f.get(address).op(OP.i32Load, 0, counter).i32(1).op(OP.i32Add).op(OP.i32Store, 0, counter);
  }
  f.get(next).get(end).op(OP.i32Ne).op(OP.if, VOID);
  for (let lane = 0; lane < 4; lane++) {
    f.get(next).get(key).memory(SIMD.store32Lane, 0, lane);
    f.get(next).get(position).i32(lane).op(OP.i32Add).op(OP.i32Store, 0, 4);
    // A lane that is not inside leaves its place to the next one.
    f.get(next).get(inside).simd(SIMD.i32x4ExtractLane, lane).i32(STORED_BYTES).op(OP.i32And).op(OP.i32Add).set(next);
  }
  f.get(next).get(end).get(next).get(end).op(OP.i32LtU).op(OP.select).set(next).op(OP.end);
  return [search, next] as const;
}

/** The unsigned integer whose order is the float's; both zeros have the same. */
function emitKey(f: KernelFunction, value: Local): Local {
  f.get(value).splat(0).simd(SIMD.f32x4Add);
  const x = f.keep();
  f.get(x).i32(31).simd(SIMD.i32x4ShrS).splatBits(0x80000000).simd(SIMD.or).get(x).simd(SIMD.xor);
  return f.keep();
}
