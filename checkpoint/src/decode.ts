// Decodes tensor bytes to float64, for reports and tests. Exact for every dtype but 64-bit integers past 2^53. The kernels have
// their own, faster conversions. 8-bit floats: OCP 8-bit Floating Point Specification (E4M3 without infinities, E5M2), MX (E8M0).
import { endianness } from "node:os";
import { type DType, dtypeBytes } from "./dtype.ts";

type NumberArray = { readonly length: number; readonly [index: number]: number | bigint };

// Safetensors is little-endian, and typed arrays are read in place.
if (endianness() !== "LE") throw new Error("amalgam needs a little-endian machine");

const views: Partial<Record<DType, (buffer: ArrayBufferLike, offset: number, length: number) => NumberArray>> = {
  F64: (buffer, offset, length) => new Float64Array(buffer, offset, length),
  F32: (buffer, offset, length) => new Float32Array(buffer, offset, length),
  F16: (buffer, offset, length) => new Float16Array(buffer, offset, length),
  I64: (buffer, offset, length) => new BigInt64Array(buffer, offset, length),
  I32: (buffer, offset, length) => new Int32Array(buffer, offset, length),
  I16: (buffer, offset, length) => new Int16Array(buffer, offset, length),
  I8: (buffer, offset, length) => new Int8Array(buffer, offset, length),
  U64: (buffer, offset, length) => new BigUint64Array(buffer, offset, length),
  U32: (buffer, offset, length) => new Uint32Array(buffer, offset, length),
  U16: (buffer, offset, length) => new Uint16Array(buffer, offset, length),
};

/**
 * Decodes whole little-endian elements. `bytes.length` must be a multiple of the element size. Writes into `target` when given
 * (at least as long as the elements) and returns the filled part.
 */
export function decodeToFloat64(bytes: Uint8Array, dtype: DType, target?: Float64Array): Float64Array {
  const size = dtypeBytes(dtype);
  const length = bytes.length / size;
  if (!Number.isInteger(length)) throw new RangeError(`${bytes.length} bytes are not whole ${dtype} elements`);
  const values = target === undefined ? new Float64Array(length) : target.subarray(0, length);
  if (values.length < length) throw new RangeError(`${length} elements do not fit in ${values.length}`);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  if (dtype === "BF16") decodeBfloat16(aligned, values);
  else if (size === 1 && dtype !== "I8") decodeByTable(aligned, byteTable(dtype), values);
  else {
    const view = views[dtype]!(aligned.buffer, aligned.byteOffset, length);
    for (let i = 0; i < length; i++) values[i] = Number(view[i]);
  }
  return values;
}

/** A bfloat16 is the upper half of a float32. */
function decodeBfloat16(bytes: Uint8Array, values: Float64Array): void {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, values.length);
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 0; i < values.length; i++) {
    bits[0] = halves[i]! << 16;
    values[i] = float[0]!;
  }
}

function decodeByTable(bytes: Uint8Array, table: Float64Array, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = table[bytes[i]!]!;
}

const tables = new Map<DType, Float64Array>();

function byteTable(dtype: DType): Float64Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    const decode = byteDecoders[dtype]!;
    table = Float64Array.from({ length: 256 }, (_, byte) => decode(byte));
    tables.set(dtype, table);
  }
  return table;
}

const byteDecoders: Partial<Record<DType, (byte: number) => number>> = {
  U8: (byte) => byte,
  BOOL: (byte) => (byte === 0 ? 0 : 1),
  F8_E4M3: (byte) => ((byte & 0x7f) === 0x7f ? Number.NaN : smallFloat(byte, 3, 7)),
  F8_E5M2: (byte) => {
    const magnitude = byte & 0x7f;
    if (magnitude > 0x7c) return Number.NaN;
    if (magnitude === 0x7c) return byte & 0x80 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return smallFloat(byte, 2, 15);
  },
  F8_E8M0: (byte) => (byte === 0xff ? Number.NaN : 2 ** (byte - 127)),
};

/** Sign, exponent, `mantissaBits` of mantissa, subnormals at exponent 0. */
function smallFloat(byte: number, mantissaBits: number, bias: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte & 0x7f) >> mantissaBits;
  const mantissa = (byte & ((1 << mantissaBits) - 1)) / 2 ** mantissaBits;
  return exponent === 0 ? sign * mantissa * 2 ** (1 - bias) : sign * (1 + mantissa) * 2 ** (exponent - bias);
}
