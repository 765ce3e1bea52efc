// The order-preserving image of float32 values in the unsigned 32-bit integers.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function keyOf(value: number): number {
  float[0] = value + 0;
  return (bits[0]! & 0x80000000 ? ~bits[0]! : bits[0]! | 0x80000000) >>> 0;
}

export function valueOf(key: number): number {
  bits[0] = key & 0x80000000 ? key ^ 0x80000000 : ~key;
  return float[0]!;
}
