// Ranks of the values of a row: the one thing of the language that needs a sort.

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;
const starts: Uint32Array = new Uint32Array(DIGITS + 1);

/**
 * For each value its rank from 0 (smallest) to 1 (largest), rounded to float32; equal values rank by index. 0.5 for one value.
 * A radix sort of indexes, by the order-preserving keys of float32.
 */
export function rankFractions(values: Float32Array): Float32Array {
  const { length } = values;
  if (length === 1) return Float32Array.of(0.5);
  const keys = keysOf(values);
  let order = new Uint32Array(length);
  let next = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    sortByDigit(keys, shift, order, next);
    [order, next] = [next, order];
  }
  const fractions = new Float32Array(length);
  for (let rank = 0; rank < length; rank++) fractions[order[rank]!] = rank / (length - 1);
  return fractions;
}

/** As in statistics/key.ts, for all values at once. */
function keysOf(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Uint32Array(values.length);
  for (let i = 0; i < keys.length; i++) {
    // Both zeros are the same, and NaN is the largest.
    const word = bits[i] === 0x80000000 ? 0 : bits[i]!;
    keys[i] = Number.isNaN(values[i]) ? 0xffffffff : word & 0x80000000 ? ~word : word | 0x80000000;
  }
  return keys;
}

function sortByDigit(keys: Uint32Array, shift: number, from: Uint32Array, to: Uint32Array): void {
  starts.fill(0);
  for (let i = 0; i < keys.length; i++) {
    const digit = (keys[i]! >>> shift) & (DIGITS - 1);
    starts[digit + 1] = starts[digit + 1]! + 1;
  }
  for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1] = starts[digit + 1]! + starts[digit]!;
  for (let i = 0; i < from.length; i++) {
    const index = from[i]!;
    const digit = (keys[index]! >>> shift) & (DIGITS - 1);
    const at = starts[digit]!;
    to[at] = index;
    starts[digit] = at + 1;
  }
}
