// Plain conversions between bytes of a dtype and numbers, one element at a time: the reference
// for the vectorised ones in wasm/lanes.ts, and good enough for small tensors.
import { type DTypeName, dtypeBytes, SMALL_FLOATS, type SmallFloat } from "./dtype.ts";

/** The value of a small float's encoding. */
function decodeSmall(code: number, small: SmallFloat): number {
  const sign = code >> (small.bits - 1) ? -1 : 1;
  const magnitude = code & (2 ** (small.bits - 1) - 1);
  if (magnitude > small.maxFinite)
    return magnitude === small.overflow && small.overflow !== small.nan ? sign * Infinity : Number.NaN;
  const exponent = magnitude >> small.mantissaBits;
  const mantissa = magnitude & (2 ** small.mantissaBits - 1);
  const significand = exponent ? mantissa + 2 ** small.mantissaBits : mantissa;
  return sign * significand * 2 ** (Math.max(exponent, 1) - small.bias - small.mantissaBits);
}

/** The encoding a float32 value rounds to, ties to even. */
function encodeSmall(value: number, small: SmallFloat): number {
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (small.bits - 1) : 0;
  if (Number.isNaN(value)) return small.nan;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign + small.overflow;
  const lowest = 1 - small.bias;
  const exponent = Math.max(lowest, Math.floor(Math.log2(magnitude)));
  const steps = roundToEven(magnitude / 2 ** (exponent - small.mantissaBits));
  // Encodings of neighbouring magnitudes are neighbouring integers, so a carry into the exponent needs no care.
  const code = (exponent - lowest) * 2 ** small.mantissaBits + steps;
  return sign + (code > small.maxFinite ? small.overflow : code);
}

function roundToEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

const word = new DataView(new ArrayBuffer(4));

function encodeBfloat(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function decodeBfloat(code: number): number {
  word.setUint32(0, code << 16);
  return word.getFloat32(0);
}

/** The nearest number that the dtype can represent. */
export const roundedTo = (value: number, dtype: "BF16" | "F16"): number =>
  dtype === "BF16"
    ? decodeBfloat(encodeBfloat(Math.fround(value)))
    : decodeSmall(encodeSmall(Math.fround(value), SMALL_FLOATS.F16), SMALL_FLOATS.F16);

/** The numbers that the bytes of a tensor hold. Throws a RangeError when the length is not a whole number of elements. */
export function decodeElements(bytes: Uint8Array, dtype: DTypeName): Float64Array {
  const size = dtypeBytes(dtype);
  if (bytes.length % size) throw new RangeError(`${bytes.length} bytes are not a whole number of ${dtype} elements`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float64Array.from({ length: bytes.length / size }, (_, i) => {
    const at = i * size;
    switch (dtype) {
      case "F64":
        return view.getFloat64(at, true);
      case "F32":
        return view.getFloat32(at, true);
      case "BF16":
        return decodeBfloat(view.getUint16(at, true));
      case "F16":
        return decodeSmall(view.getUint16(at, true), SMALL_FLOATS.F16);
      case "U8":
        return view.getUint8(at);
      default:
        return decodeSmall(view.getUint8(at), SMALL_FLOATS[dtype]);
    }
  });
}

/** The bytes of the numbers, each rounded to float32 and then to the dtype, as kernels do; U8 cuts fractions and saturates. */
export function encodeElements(values: ArrayLike<number>, dtype: DTypeName): Uint8Array {
  const size = dtypeBytes(dtype);
  const view = new DataView(new ArrayBuffer(values.length * size));
  for (let i = 0; i < values.length; i++) {
    const value = Math.fround(values[i]!);
    const at = i * size;
    if (dtype === "F64") view.setFloat64(at, value, true);
    else if (dtype === "F32") view.setFloat32(at, value, true);
    else if (dtype === "BF16") view.setUint16(at, encodeBfloat(value), true);
    else if (dtype === "F16") view.setUint16(at, encodeSmall(value, SMALL_FLOATS.F16), true);
    else if (dtype === "U8") view.setUint8(at, Math.min(255, Math.max(0, value)));
    else view.setUint8(at, encodeSmall(value, SMALL_FLOATS[dtype]));
  }
  return new Uint8Array(view.buffer);
}

/** Index of the first element that is NaN, or infinite as a float32; -1 if there is none. For error messages. */
export const findNonFinite = (bytes: Uint8Array, dtype: DTypeName): number =>
  decodeElements(bytes, dtype).findIndex((x) => !Number.isFinite(Math.fround(x)));
