/**
 * Converts a tensor of any float type to float32 in shared memory, where every inference thread reads it without a copy of its own.
 * Widening is exact except from f64, which rounds to nearest. f8 follows Micikevicius et al., 2022 (e4m3 has no infinity).
 */

import { EvaluatorError } from "../errors.ts";
import type { WeightTensor } from "../weights.ts";

interface Conversion {
  readonly elementBytes: number;
  /** `from` is aligned to the element size. */
  convert(from: Uint8Array, to: Float32Array): void;
}

const conversions: Record<string, Conversion> = {
  f64: { elementBytes: 8, convert: (from, to) => to.set(view(Float64Array, from)) },
  f32: { elementBytes: 4, convert: (from, to) => to.set(view(Float32Array, from)) },
  f16: { elementBytes: 2, convert: (from, to) => to.set(view(Float16Array, from)) },
  bf16: { elementBytes: 2, convert: widenBf16 },
  f8_e4m3: { elementBytes: 1, convert: (from, to) => lookUp(f8e4m3, from, to) },
  f8_e5m2: { elementBytes: 1, convert: (from, to) => lookUp(f8e5m2, from, to) },
};

/**
 * A new float32 array with the tensor's values.
 * @throws EvaluatorError when the data type is no float type or the bytes do not fill the shape.
 */
export function toFloat32(name: string, tensor: WeightTensor): Float32Array {
  const conversion = conversions[tensor.dtype.toLowerCase()];
  if (conversion === undefined) {
    const known = Object.keys(conversions).join(", ");
    throw new EvaluatorError(`tensor ${name}: data type ${tensor.dtype} cannot be a model weight (one of ${known})`);
  }
  const elements = tensor.shape.reduce((product, size) => product * size, 1);
  if (tensor.bytes.byteLength !== elements * conversion.elementBytes) {
    throw new EvaluatorError(
      `tensor ${name}: ${tensor.bytes.byteLength} bytes do not fill ${tensor.dtype} [${tensor.shape}] (${elements * conversion.elementBytes} bytes)`,
    );
  }
  const to = new Float32Array(new SharedArrayBuffer(elements * 4));
  const aligned = tensor.bytes.byteOffset % conversion.elementBytes === 0 ? tensor.bytes : tensor.bytes.slice();
  conversion.convert(aligned, to);
  return to;
}

type ArrayView<T> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T;

function view<T>(type: ArrayView<T> & { BYTES_PER_ELEMENT: number }, bytes: Uint8Array): T {
  return new type(bytes.buffer, bytes.byteOffset, bytes.byteLength / type.BYTES_PER_ELEMENT);
}

function widenBf16(from: Uint8Array, to: Float32Array): void {
  const source = view(Uint16Array, from);
  const bits = new Uint32Array(to.buffer);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

function lookUp(table: Float32Array, from: Uint8Array, to: Float32Array): void {
  for (let i = 0; i < from.length; i++) to[i] = table[from[i]!]!;
}

const f8e4m3 = Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = (byte >> 3) & 0xf;
  const fraction = byte & 0x7;
  if (exponent === 0xf && fraction === 0x7) return Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
});

/** e5m2 is the upper byte of an f16. */
const f8e5m2 = Float32Array.from(new Float16Array(Uint16Array.from({ length: 256 }, (_, byte) => byte << 8).buffer));
