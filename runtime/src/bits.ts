// Zeros and ones, eight to a byte, the first in the lowest bit: what was right item by item, on the wire and in the journal.

/** `bits` are 0 or 1. */
export function packBits(bits: Uint8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, index) => {
    packed[index >> 3]! |= bit << (index & 7);
  });
  return packed;
}

/** The first `count` bits; 0 where `packed` is too short. */
export const unpackBits = (packed: Uint8Array, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => ((packed[index >> 3] ?? 0) >> (index & 7)) & 1);
