// Ranks of the values of a row: the one thing of the language that needs a sort.
import { keyOf } from "./statistics/key.ts";

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/**
 * For each value its rank from 0 (smallest) to 1 (largest), rounded to float32; equal values rank by index. 0.5 for one value.
 * A radix sort of indexes, by the order-preserving keys of float32.
 */
export function rankFractions(values: Float32Array): Float32Array {
  const { length } = values;
  if (length === 1) return Float32Array.of(0.5);
  const keys = Uint32Array.from(values, keyOf);
  let order = Uint32Array.from(keys, (_, i) => i);
  let next = new Uint32Array(length);
  const starts = new Uint32Array(DIGITS + 1);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    starts.fill(0);
    for (const key of keys) starts[((key >>> shift) & (DIGITS - 1)) + 1]!++;
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1]! += starts[digit]!;
    for (const index of order) next[starts[(keys[index]! >>> shift) & (DIGITS - 1)]!++] = index;
    [order, next] = [next, order];
  }
  const fractions = new Float32Array(length);
  order.forEach((index, rank) => {
    fractions[index] = rank / (length - 1);
  });
  return fractions;
}
