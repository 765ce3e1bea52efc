// Sorts the rows of a block by value: a radix sort of (key, index) pairs, least significant digit first, over the bits in which a
// row's keys differ. Stable, so equal values keep the order of their indexes.
import { BLOCK, COUNT, KernelFunction, type Local } from "./function.ts";
import { I32, OP, SIMD, V128, VOID } from "./opcodes.ts";

/** Byte offsets in the parameter block; u32 each. The first four are pointers. */
export const SORT = {
  /** f32 values, row after row, which become keys; rounded up to a multiple of four elements. */
  values: 0,
  /** The rows' pairs (index in the row, then key; u32 each), sorted, if no ranks are wanted. */
  pairs: 4,
  /** Room for the pairs of one row. */
  spare: 8,
  /** f32: for each element, in the order of `values`, its rank from 0 to 1. */
  ranks: 12,
  rowElements: 16,
  wantsRanks: 20,
  counters: 32,
} as const;
const DIGIT_BITS = 11;
export const SORT_BYTES: number = SORT.counters + 4 * 2 ** DIGIT_BITS;

export function emitSort(): Uint8Array {
  const f = new KernelFunction();
  const word = (offset: number): Local => {
    const local = f.local(I32);
    f.get(BLOCK).op(OP.i32Load, 0, offset).set(local);
    return local;
  };
  const keys = word(SORT.values);
  const pairs = word(SORT.pairs);
  const spare = word(SORT.spare);
  const ranks = word(SORT.ranks);
  const elements = word(SORT.rowElements);
  const wantsRanks = word(SORT.wantsRanks);
  const [varying, shift, width, passes] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const [from, to, sorting, top] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];

  // Digits of short rows are narrower: clearing counters must not cost more than counting.
  const [most, needed] = [f.local(I32), f.local(I32)];
  f.i32(33).get(elements).op(OP.i32Clz).op(OP.i32Sub).tee(needed).i32(DIGIT_BITS);
  f.get(needed).i32(DIGIT_BITS).op(OP.i32LtU).op(OP.select).set(most);
  emitKeys(f, keys, elements);
  f.op(OP.loop, VOID);
  emitVarying(f, keys, elements, varying);
  // The lowest bit that varies, how many digits that makes, and how wide they are.
  f.get(varying).op(OP.i32Ctz).set(shift);
  f.i32(32).get(varying).op(OP.i32Clz).op(OP.i32Sub).get(shift).op(OP.i32Sub).set(width);
  f.get(varying).op(OP.i32Eqz).op(OP.if, VOID).i32(0).set(width).op(OP.end);
  f.get(width).get(most).op(OP.i32Add).i32(1).op(OP.i32Sub).get(most).op(OP.i32DivU).set(passes);
  f.get(passes).op(OP.if, VOID);
  f.get(width).get(passes).op(OP.i32Add).i32(1).op(OP.i32Sub).get(passes).op(OP.i32DivU).set(width);
  f.op(OP.end);
  // The last pass writes to `pairs`.
  f.get(pairs).get(spare).get(passes).i32(1).op(OP.i32And).op(OP.select).set(to);
  f.get(spare).get(pairs).get(passes).i32(1).op(OP.i32And).op(OP.select).set(from);
  const row = { keys, elements, shift, width };
  // A digit that would reach beyond the key begins lower: bits that are in order already do no harm.
  const nextDigit = (): void => {
    f.get(shift).get(width).op(OP.i32Add).tee(shift).i32(32).get(width).op(OP.i32Sub).tee(top);
    f.get(shift).get(top).op(OP.i32LtU).op(OP.select).set(shift);
  };
  f.get(passes).op(OP.i32Eqz).op(OP.if, VOID);
  f.get(wantsRanks).op(OP.if, VOID);
  emitRanks(f, ranks, elements);
  f.op(OP.else);
  emitUnsorted(f, keys, pairs, elements);
  f.op(OP.end).op(OP.else);
  // The last digit gives ranks without sorting pairs.
  f.get(passes).get(wantsRanks).op(OP.i32Sub).tee(sorting).op(OP.if, VOID);
  emitDigit(f, row, undefined, { pairs: to });
  f.get(from).get(to).set(from).set(to);
  nextDigit();
  f.get(sorting).i32(1).op(OP.i32Ne).op(OP.if, VOID).op(OP.loop, VOID);
  emitDigit(f, row, from, { pairs: to });
  f.get(from).get(to).set(from).set(to);
  nextDigit();
  f.get(sorting).i32(1).op(OP.i32Sub).tee(sorting).i32(1).op(OP.i32Ne).op(OP.brIf, 0);
  f.op(OP.end).op(OP.end);
  f.get(wantsRanks).op(OP.if, VOID);
  emitDigit(f, row, from, { ranks });
  f.op(OP.end).op(OP.else);
  emitDigit(f, row, undefined, { ranks });
  f.op(OP.end).op(OP.end);
  for (const [pointer, log2] of [
    [keys, 2],
    [ranks, 2],
    [pairs, 3],
  ] as const)
    f.get(elements).i32(log2).op(OP.i32Shl).get(pointer).op(OP.i32Add).set(pointer);
  f.get(COUNT).i32(1).op(OP.i32Sub).tee(COUNT).op(OP.brIf, 0).op(OP.end);
  f.i32(0);
  return f.module();
}

/** Runs the body for each whole number below `end`, at least once, in steps. */
function repeat(f: KernelFunction, end: Local, step: number, body: (i: Local) => void): void {
  const i = f.local(I32);
  f.i32(0).set(i).op(OP.loop, VOID);
  body(i);
  f.get(i).i32(step).op(OP.i32Add).tee(i).get(end).op(OP.i32LtU).op(OP.brIf, 0).op(OP.end);
}

/** Pushes base + (i << log2). */
const place = (f: KernelFunction, base: Local, i: Local, log2: number): KernelFunction =>
  f.get(base).get(i).i32(log2).op(OP.i32Shl).op(OP.i32Add);

/** Replaces values by unsigned integers of the same order, for all rows at once; both zeros are one, NaN is the largest. */
function emitKeys(f: KernelFunction, keys: Local, elements: Local): void {
  const all = f.local(I32);
  f.get(elements).get(COUNT).op(OP.i32Mul).set(all);
  const [x, at] = [f.local(V128), f.local(I32)];
  repeat(f, all, 4, (i) => {
    place(f, keys, i, 2).tee(at).get(at).memory(SIMD.load, 0).splat(0).simd(SIMD.f32x4Add).set(x);
    f.get(x).i32(31).simd(SIMD.i32x4ShrS).splatBits(0x80000000).simd(SIMD.or).get(x).simd(SIMD.xor);
    f.get(x).get(x).simd(SIMD.f32x4Ne).simd(SIMD.or).memory(SIMD.store, 0);
  });
}

/** The bits in which the keys of a row differ. */
function emitVarying(f: KernelFunction, keys: Local, elements: Local, varying: Local): void {
  const [first, bits, whole] = [f.local(V128), f.local(V128), f.local(I32)];
  f.get(keys).memory(SIMD.load32Splat, 0).set(first).splatBits(0).set(bits);
  f.get(elements).i32(-4).op(OP.i32And).tee(whole).op(OP.if, VOID);
  repeat(f, whole, 4, (i) => {
    place(f, keys, i, 2).memory(SIMD.load, 0).get(first).simd(SIMD.xor).get(bits).simd(SIMD.or).set(bits);
  });
  f.op(OP.end).get(whole).get(elements).op(OP.i32Ne).op(OP.if, VOID);
  const i = f.local(I32);
  f.get(whole).set(i).op(OP.loop, VOID);
  place(f, keys, i, 2).memory(SIMD.load32Splat, 0).get(first).simd(SIMD.xor).get(bits).simd(SIMD.or).set(bits);
  f.get(i).i32(1).op(OP.i32Add).tee(i).get(elements).op(OP.i32LtU).op(OP.brIf, 0).op(OP.end).op(OP.end);
  for (let lane = 0; lane < 4; lane++) {
    f.get(bits).simd(SIMD.i32x4ExtractLane, lane);
    if (lane) f.op(OP.i32Or);
  }
  f.set(varying);
}

function emitUnsorted(f: KernelFunction, keys: Local, pairs: Local, elements: Local): void {
  const to = f.local(I32);
  repeat(f, elements, 1, (i) => {
    place(f, pairs, i, 3).tee(to).get(i).op(OP.i32Store, 0, 0);
    f.get(to);
    place(f, keys, i, 2).op(OP.i32Load, 0, 0).op(OP.i32Store, 0, 4);
  });
}

interface Row {
  readonly keys: Local;
  readonly elements: Local;
  /** The digit's lowest bit, and its width in bits. */
  readonly shift: Local;
  readonly width: Local;
}

/**
 * Sorts by one digit, from pairs sorted by lower digits or, where `from` is left out, from keys in the order of their indexes: to
 * pairs, or, with the last digit, to ranks.
 */
function emitDigit(
  f: KernelFunction,
  { keys, elements, shift, width }: Row,
  from: Local | undefined,
  to: { readonly pairs: Local } | { readonly ranks: Local },
): void {
  const [bins, mask, at, key, sum] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const [turn, target, read, end] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const [source, sourceBytes, keyAt] = from === undefined ? [keys, 4, 0] : [from, 8, 4];
  f.i32(1).get(width).op(OP.i32Shl).tee(bins).i32(1).op(OP.i32Sub).i32(2).op(OP.i32Shl).set(mask);
  f.get(shift).i32(2).op(OP.i32Sub).set(turn);
  repeat(f, bins, 4, (i) => {
    place(f, BLOCK, i, 2).splatBits(0).memory(SIMD.store, SORT.counters);
  });
  f.get(elements).i32(Math.log2(sourceBytes)).op(OP.i32Shl).get(source).op(OP.i32Add).set(end);
  const forEachKey = (body: () => void): void => {
    f.get(source).set(read).op(OP.loop, VOID);
    f.get(read).op(OP.i32Load, 0, keyAt);
    // Four times the digit: the place of its counter.
    f.tee(key).get(turn).op(OP.i32Rotr).get(mask).op(OP.i32And).get(BLOCK).op(OP.i32Add).set(at);
    body();
    f.get(read).i32(sourceBytes).op(OP.i32Add).tee(read).get(end).op(OP.i32LtU).op(OP.brIf, 0).op(OP.end);
  };
  const takePlace = (bytes: number): void => {
    f.get(at).op(OP.i32Load, 0, SORT.counters).set(target);
    f.get(at).get(target).i32(bytes).op(OP.i32Add).op(OP.i32Store, 0, SORT.counters);
  };
  forEachKey(() => {
    f.get(at).get(at).op(OP.i32Load, 0, SORT.counters).i32(1).op(OP.i32Add).op(OP.i32Store, 0, SORT.counters);
  });
  // Counts become where the first element of a digit goes: an address, or a rank.
  const log2 = "pairs" in to ? 3 : 0;
  if ("pairs" in to) f.get(to.pairs).set(sum);
  else f.i32(0).set(sum);
  repeat(f, bins, 1, (i) => {
    place(f, BLOCK, i, 2).tee(at).op(OP.i32Load, 0, SORT.counters).set(key);
    f.get(at).get(sum).op(OP.i32Store, 0, SORT.counters);
    f.get(sum).get(key).i32(log2).op(OP.i32Shl).op(OP.i32Add).set(sum);
  });
  if ("pairs" in to) {
    const i = f.local(I32);
    f.i32(0).set(i);
    forEachKey(() => {
      takePlace(8);
      if (from !== undefined) f.get(target).get(read).op(OP.i64Load, 0, 0).op(OP.i64Store, 0, 0);
      else {
        f.get(target).get(i).op(OP.i32Store, 0, 0).get(target).get(key).op(OP.i32Store, 0, 4);
        f.get(i).i32(1).op(OP.i32Add).set(i);
      }
    });
    return;
  }
  const last = emitLast(f, elements);
  forEachKey(() => {
    takePlace(1);
    // The element's index, four times.
    if (from === undefined) f.get(read).get(keys).op(OP.i32Sub);
    else f.get(read).op(OP.i32Load, 0, 0).i32(2).op(OP.i32Shl);
    f.get(to.ranks).op(OP.i32Add);
    emitRank(f, target, last);
  });
}

/** The row's last rank as float64 lanes. */
function emitLast(f: KernelFunction, elements: Local): Local {
  f.get(elements).i32(1).op(OP.i32Sub).simd(SIMD.i32x4Splat).simd(SIMD.f64x2ConvertLowI32x4U);
  return f.keep();
}

/** Pops an address and stores rank / last there, divided in float64 and rounded once. */
function emitRank(f: KernelFunction, rank: Local, last: Local): void {
  f.get(rank).simd(SIMD.i32x4Splat).simd(SIMD.f64x2ConvertLowI32x4U).get(last).simd(SIMD.f64x2Div);
  f.simd(SIMD.demoteF64x2Zero).memory(SIMD.store32Lane, 0, 0);
}

/** Ranks where all values of a row are equal: by index. A single value is in the middle. */
function emitRanks(f: KernelFunction, ranks: Local, elements: Local): void {
  const last = emitLast(f, elements);
  repeat(f, elements, 1, (i) => {
    place(f, ranks, i, 2);
    emitRank(f, i, last);
  });
  f.get(elements).i32(1).op(OP.i32Eq).op(OP.if, VOID);
  f.get(ranks).splat(0.5).memory(SIMD.store32Lane, 0, 0).op(OP.end);
}
