// Exact sums of float64 values. Adding integers is associative, so the result does not depend on
// how a model was cut into shards or in which order their partial sums arrive.
import type { ExactSum } from "../types.ts";

const MANTISSA_BITS = 52n;
const view = new DataView(new ArrayBuffer(8));

export const ZERO: ExactSum = { units: 0n, special: 0 };

/** The value in steps of 2^-1074, the smallest float64. */
export function exactly(value: number): ExactSum {
  if (!Number.isFinite(value)) return { units: 0n, special: value };
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> MANTISSA_BITS) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << MANTISSA_BITS)) << (exponent - 1n);
  return { units: value < 0 ? -magnitude : magnitude, special: 0 };
}

export const addExact = (a: ExactSum, b: ExactSum): ExactSum => ({
  units: a.units + b.units,
  special: a.special + b.special,
});

/** The nearest float64, ties to even. */
export function roundExact({ units, special }: ExactSum): number {
  if (special !== 0) return special;
  const magnitude = units < 0n ? -units : units;
  const bits = magnitude.toString(16).length * 4;
  // Number() rounds correctly but overflows beyond 2^1024: keep 64 bits or more, and whether anything was below them.
  const shift = BigInt(Math.max(0, bits - 68));
  const head = magnitude >> shift;
  const sticky = head << shift === magnitude ? 0n : 1n;
  const exponent = Number(shift) - 1074;
  const half = Math.trunc(exponent / 2);
  const value = Number(head | sticky) * 2 ** half * 2 ** (exponent - half);
  return units < 0n ? -value : value;
}
