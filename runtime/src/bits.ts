// Zeros and ones, eight to a byte, the first in the lowest bit: what was right item by item, on the wire and in the journal.

/** `bits` are 0 or 1. */
export function packBits(bits: Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [index, bit] of bits.entries()) packed[index >> 3]! |= bit << (index & 7);
  return packed;
}

/** The first `count` bits; 0 where `packed` is too short. */
export function unpackBits(packed: Uint8Array, count: number): Uint8Array {
  const bits = new Uint8Array(count);
  for (let index = 0; index < count; index++) bits[index] = ((packed[index >> 3] ?? 0) >> (index & 7)) & 1;
  return bits;
}
