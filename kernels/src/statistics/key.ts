// The order-preserving image of float32 values in the unsigned 32-bit integers, and its inverse;
// kernels compute the same (wasm/histogram.ts).

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function keyOf(value: number): number {
  float[0] = value + 0;
  return (bits[0]! & 0x80000000 ? ~bits[0]! : bits[0]! | 0x80000000) >>> 0;
}

export function valueOfKey(key: number): number {
  bits[0] = key & 0x80000000 ? key ^ 0x80000000 : ~key;
  return float[0]!;
}

/** The next larger float32; infinities stay. */
export const nextFloat32 = (value: number): number => (Number.isFinite(value) ? valueOfKey(keyOf(value) + 1) : value);
