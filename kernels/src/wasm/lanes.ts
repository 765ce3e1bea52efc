// Four elements of any dtype to and from f32 lanes: exact when widening, one rounding to
// nearest even when narrowing. NaN stays NaN and subnormals are kept.
import { type DTypeName, SMALL_FLOATS, type SmallFloat } from "../dtype.ts";
import type { KernelFunction, Local } from "./function.ts";
import { SIMD } from "./opcodes.ts";

const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HALF_FIRST = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const SIGN = 0x80000000;
const MAGNITUDE = 0x7fffffff;
const INFINITY = 0x7f800000;

/** Pushes the four elements at the pointer as f32 lanes. */
export function loadLanes(f: KernelFunction, dtype: DTypeName, pointer: Local): void {
  f.get(pointer);
  switch (dtype) {
    case "F64":
      f.memory(SIMD.load, 0).simd(SIMD.demoteF64x2Zero);
      f.get(pointer).memory(SIMD.load, 16).simd(SIMD.demoteF64x2Zero).shuffle(LOW_HALVES);
      break;
    case "F32":
      f.memory(SIMD.load, 0);
      break;
    case "BF16":
      f.memory(SIMD.load16x4U, 0).i32(16).simd(SIMD.i32x4Shl);
      break;
    case "F16":
      f.memory(SIMD.load16x4U, 0);
      widen(f, SMALL_FLOATS[dtype]);
      break;
    case "U8":
      f.memory(SIMD.load32Zero, 0).simd(SIMD.extendLowI8x16U).simd(SIMD.extendLowI16x8U);
      f.simd(SIMD.f32x4ConvertI32x4S);
      break;
    default:
      f.memory(SIMD.load32Zero, 0).simd(SIMD.extendLowI8x16U).simd(SIMD.extendLowI16x8U);
      widen(f, SMALL_FLOATS[dtype]);
  }
}

/**
 * Stores the f32 lanes of `value` as four elements at the pointer. `inputs` are the dtypes the value was computed from: they
 * bound the payloads a NaN can have.
 */
export function storeLanes(
  f: KernelFunction,
  dtype: DTypeName,
  inputs: readonly DTypeName[],
  pointer: Local,
  value: Local,
): void {
  f.get(pointer);
  switch (dtype) {
    case "F64":
      f.get(value).simd(SIMD.promoteLowF32x4).memory(SIMD.store, 0);
      f.get(pointer).get(value).get(value).shuffle(HIGH_HALF_FIRST);
      f.simd(SIMD.promoteLowF32x4).memory(SIMD.store, 16);
      break;
    case "F32":
      f.get(value).memory(SIMD.store, 0);
      break;
    case "BF16":
      narrowToBfloat(f, value, inputs);
      packAndStore16(f);
      break;
    case "F16":
      narrow(f, SMALL_FLOATS[dtype], value);
      packAndStore16(f);
      break;
    case "U8":
      f.get(value).splat(255).simd(SIMD.f32x4Pmin).simd(SIMD.i32x4TruncSatF32x4S);
      packAndStore8(f);
      break;
    default:
      narrow(f, SMALL_FLOATS[dtype], value);
      packAndStore8(f);
  }
}

/** Pops f32 lanes and pushes the nearest numbers that the dtype can represent. */
export function roundLanes(f: KernelFunction, dtype: "BF16" | "F16"): void {
  const value = f.keep();
  if (dtype === "BF16") {
    narrowToBfloat(f, value, ["F32"]);
    f.i32(16).simd(SIMD.i32x4Shl);
  } else {
    narrow(f, SMALL_FLOATS.F16, value);
    widen(f, SMALL_FLOATS.F16);
  }
}

/** Magnitudes from these float32 bits on are not finite once stored in the dtype. */
export function overflowFrom(dtype: DTypeName): number {
  if (dtype === "F64" || dtype === "F32") return INFINITY;
  if (dtype === "U8") return 0x43800000; // 256
  return dtype === "BF16" ? 0x7f7f8000 : SMALL_FLOATS[dtype].overflowFrom;
}

/** Pops i32 lanes that hold a small float's encoding and pushes its value. */
function widen(f: KernelFunction, small: SmallFloat): void {
  const hasInfinity = small.overflow !== small.nan;
  const encoded = f.keep();
  f.get(encoded)
    .splatBits(2 ** (small.bits - 1) - 1)
    .simd(SIMD.and);
  const magnitude = f.keep();
  // Placed in float32's fields, the exponent is too small by a constant. Subnormals are whole multiples of the smallest one: as
  // floats of that size they would be subnormal too, which processors are slow with.
  f.get(magnitude)
    .i32(23 - small.mantissaBits)
    .simd(SIMD.i32x4Shl);
  f.splatBits((127 - small.bias) << 23).simd(SIMD.i32x4Add);
  f.get(magnitude).simd(SIMD.f32x4ConvertI32x4S);
  f.splat(2 ** (1 - small.bias - small.mantissaBits)).simd(SIMD.f32x4Mul);
  f.get(magnitude)
    .splatBits(2 ** small.mantissaBits - 1)
    .simd(SIMD.i32x4GtS)
    .simd(SIMD.bitselect);
  f.get(magnitude).splatBits(small.maxFinite).simd(SIMD.i32x4GtS);
  f.splatBits(hasInfinity ? INFINITY : 0x7fc00000)
    .simd(SIMD.and)
    .simd(SIMD.or);
  f.get(encoded)
    .i32(32 - small.bits)
    .simd(SIMD.i32x4Shl)
    .splatBits(SIGN)
    .simd(SIMD.and)
    .simd(SIMD.or);
}

/** Pushes the encodings of the f32 lanes as i32 lanes. */
function narrow(f: KernelFunction, small: SmallFloat, value: Local): void {
  const dropped = 23 - small.mantissaBits;
  f.get(value).splatBits(MAGNITUDE).simd(SIMD.and);
  const magnitude = f.keep();
  // Subnormal result: adding a number whose last place is the smallest subnormal rounds there.
  const magic = 2 ** (1 - small.bias - small.mantissaBits + 23);
  f.get(magnitude).splat(magic).simd(SIMD.f32x4Add).splat(magic).simd(SIMD.i32x4Sub);
  // Normal result: re-bias, then round to nearest even by adding just under a half, plus the last kept bit.
  f.get(magnitude).i32(dropped).simd(SIMD.i32x4ShrU).splatBits(1).simd(SIMD.and);
  f.get(magnitude).simd(SIMD.i32x4Add);
  f.splatBits((((small.bias - 127) << 23) + 2 ** (dropped - 1) - 1) >>> 0).simd(SIMD.i32x4Add);
  f.i32(dropped).simd(SIMD.i32x4ShrU);
  f.splat(2 ** (1 - small.bias))
    .get(magnitude)
    .simd(SIMD.i32x4GtS)
    .simd(SIMD.bitselect);
  const finite = f.keep();
  f.splatBits(small.overflow).get(finite);
  f.get(magnitude)
    .splatBits(small.overflowFrom - 1)
    .simd(SIMD.i32x4GtS)
    .simd(SIMD.bitselect);
  const ordered = f.keep();
  f.splatBits(small.nan).get(ordered);
  f.get(magnitude).splatBits(INFINITY).simd(SIMD.i32x4GtS).simd(SIMD.bitselect);
  f.get(value)
    .i32(32 - small.bits)
    .simd(SIMD.i32x4ShrU)
    .splatBits(2 ** (small.bits - 1))
    .simd(SIMD.and)
    .simd(SIMD.or);
}

function narrowToBfloat(f: KernelFunction, value: Local, inputs: readonly DTypeName[]): void {
  f.get(value).i32(16).simd(SIMD.i32x4ShrU).splatBits(1).simd(SIMD.and);
  f.get(value).simd(SIMD.i32x4Add).splatBits(0x7fff).simd(SIMD.i32x4Add);
  // Rounding could carry a NaN's payload into infinity or wrap around, unless its low half is zero: then it keeps its top half, made quiet.
  if (inputs.some((input) => input !== "BF16")) {
    f.get(value).splatBits(0x400000).simd(SIMD.or);
    f.get(value).get(value).simd(SIMD.f32x4Eq).simd(SIMD.bitselect);
  }
  f.i32(16).simd(SIMD.i32x4ShrU);
}

/** Pops an address and i32 lanes below 2^16. */
function packAndStore16(f: KernelFunction): void {
  const packed = f.keep();
  f.get(packed).get(packed).simd(SIMD.narrowI32x4U).memory(SIMD.store64Lane, 0, 0);
}

/** Pops an address and i32 lanes below 2^8; negative ones are stored as 0. */
function packAndStore8(f: KernelFunction): void {
  const packed = f.keep();
  f.get(packed).get(packed).simd(SIMD.narrowI32x4U);
  f.tee(packed).get(packed).simd(SIMD.narrowI16x8U).memory(SIMD.store32Lane, 0, 0);
}
