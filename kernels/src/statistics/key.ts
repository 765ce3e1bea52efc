// The order-preserving image of float32 values in the unsigned 32-bit integers, backwards; kernels
// compute it forwards (wasm/digits.ts).

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function valueOfKey(key: number): number {
  bits[0] = key & 0x80000000 ? key ^ 0x80000000 : ~key;
  return float[0]!;
}
