// The pass of an order statistic: for each searched expression, how many values lie above an interval, how many in each part of
// it, and, while there are few, which. Never sorts.
import { BLOCK, type KernelFunction, type Local } from "./function.ts";
import type { Sink } from "./kernel.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";
import type { KernelPlan } from "./plan.ts";
import { loadedBefore } from "./reduce.ts";

/** Parts an interval is divided into at most; values outside it are counted in one more, which nobody reads. */
export const BINS = 2048;
/** How many of the values in its interval a search can store in one call: as key and index. */
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
  /** How many values are stored; MOST_STORED also stands for more, and set before a call it keeps it from storing. */
  stored: 20,
  /** Lane counts of values that are not above the interval; NaN is above. */
  notAbove: 32,
  /** Lane counts of values in it. */
  inside: 48,
  bins: 64,
  values: 64 + (BINS + 1) * BIN_BYTES,
};
export const SEARCH_BYTES: number = SEARCH.values + (MOST_STORED + 4) * STORED_BYTES;

export function histogramSink({ extra }: KernelPlan["layout"]): Sink {
  const searches: SearchLocals[] = [];
  return {
    outputBytes: 0,
    isIndexed: true,
    body: (f, lanes, { index, mask }) => {
      lanes.forEach((value, s) => {
        searches[s] ??= searchLocals(f, extra + SEARCH_BYTES * s);
        const search = searches[s];
        f.get(value).get(search.high).simd(SIMD.f32x4Le);
        if (mask !== undefined) f.get(mask).simd(SIMD.and);
        f.set(search.here);
        // A true lane is -1.
        f.get(search.notAbove).get(search.here).simd(SIMD.i32x4Sub).set(search.notAbove);
        f.get(value).get(search.low).simd(SIMD.f32x4Ge).get(search.here).simd(SIMD.and).set(search.here);
        f.get(search.inside).get(search.here).simd(SIMD.i32x4Sub).set(search.inside);
        f.get(search.here).get(search.divided).simd(SIMD.and).set(search.here);
      });
      searches.forEach(({ here }, s) => {
        f.get(here);
        if (s) f.simd(SIMD.or);
      });
      f.simd(SIMD.anyTrue).op(OP.if, VOID);
      lanes.forEach((value, s) => {
        f.get(searches[s]!.here).simd(SIMD.anyTrue).op(OP.if, VOID);
        emitCounting(f, value, searches[s]!, index);
        f.op(OP.end);
      });
      f.op(OP.end);
    },
    finish: (f) => {
      for (const { at, notAbove, inside, next } of searches) {
        for (const [offset, local] of [
          [SEARCH.notAbove, notAbove],
          [SEARCH.inside, inside],
        ] as const)
          f.get(BLOCK)
            .get(BLOCK)
            .memory(SIMD.load, at + offset)
            .get(local)
            .simd(SIMD.i32x4Add)
            .memory(SIMD.store, at + offset);
        f.get(BLOCK).get(next).get(BLOCK).op(OP.i32Sub);
        f.i32(at + SEARCH.values)
          .op(OP.i32Sub)
          .i32(Math.log2(STORED_BYTES))
          .op(OP.i32ShrU);
        f.op(OP.i32Store, 0, at + SEARCH.stored);
      }
      f.i32(0);
    },
  };
}

interface SearchLocals {
  /** Byte offset of the search in the parameter block. */
  readonly at: number;
  readonly low: Local;
  readonly high: Local;
  readonly divided: Local;
  readonly notAbove: Local;
  readonly inside: Local;
  /** Scratch. */
  readonly here: Local;
  readonly lowKey: Local;
  readonly shift: Local;
  /** Where the next value is stored, and where there is no more room. */
  readonly next: Local;
  readonly end: Local;
}

function searchLocals(f: KernelFunction, at: number): SearchLocals {
  const splatted = (offset: number): Local => loadedBefore(f, at + offset, SIMD.load32Splat);
  const [shift, next, end] = [f.local(I32), f.local(I32), f.local(I32)];
  f.before(() => {
    f.get(BLOCK)
      .op(OP.i32Load, 0, at + SEARCH.shift)
      .set(shift);
    f.get(BLOCK)
      .i32(at + SEARCH.values)
      .op(OP.i32Add)
      .tee(next)
      .i32(MOST_STORED * STORED_BYTES)
      .op(OP.i32Add)
      .set(end);
    f.get(BLOCK).op(OP.i32Load, 0, at + SEARCH.stored);
    f.i32(Math.log2(STORED_BYTES)).op(OP.i32Shl).get(next).op(OP.i32Add).set(next);
  });
  return {
    at,
    ...{ low: splatted(SEARCH.low), high: splatted(SEARCH.high), divided: splatted(SEARCH.divided) },
    ...{ notAbove: f.local(V128), inside: f.local(V128), here: f.local(V128) },
    ...{ lowKey: splatted(SEARCH.lowKey), shift, next, end },
  };
}

/** Counts the lanes that are in the interval in their bins, and stores them. */
function emitCounting(f: KernelFunction, value: Local, search: SearchLocals, index: Local): void {
  const { at, here, lowKey, shift, next, end } = search;
  const key = emitKey(f, value);
  f.get(key).get(lowKey).simd(SIMD.i32x4Sub).get(shift).simd(SIMD.i32x4ShrU);
  f.splatBits(BINS).get(here).simd(SIMD.bitselect).i32(4).simd(SIMD.i32x4Shl);
  const offsets = f.keep();
  const address = f.local(I32);
  for (let lane = 0; lane < 4; lane++) {
    const counter = at + SEARCH.bins + 4 * lane;
    f.get(offsets).simd(SIMD.i32x4ExtractLane, lane).get(BLOCK).op(OP.i32Add).tee(address);
    f.get(address).op(OP.i32Load, 0, counter).i32(1).op(OP.i32Add).op(OP.i32Store, 0, counter);
  }
  f.get(next).get(end).op(OP.i32Ne).op(OP.if, VOID);
  for (let lane = 0; lane < 4; lane++) {
    f.get(next).get(key).memory(SIMD.store32Lane, 0, lane);
    f.get(next).get(index).i32(lane).op(OP.i32Add).op(OP.i32Store, 0, 4);
    // A lane that is not inside leaves its place to the next one.
    f.get(next).get(here).simd(SIMD.i32x4ExtractLane, lane).i32(STORED_BYTES).op(OP.i32And).op(OP.i32Add).set(next);
  }
  f.get(next).get(end).get(next).get(end).op(OP.i32LtU).op(OP.select).set(next).op(OP.end);
}

/** The unsigned integer whose order is the float's; both zeros have the same. */
function emitKey(f: KernelFunction, value: Local): Local {
  f.get(value).splat(0).simd(SIMD.f32x4Add);
  const x = f.keep();
  f.get(x).i32(31).simd(SIMD.i32x4ShrS).splatBits(0x80000000).simd(SIMD.or).get(x).simd(SIMD.xor);
  return f.keep();
}
