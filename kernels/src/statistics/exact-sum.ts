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

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
/** Sums of so many 32-bit halves are exact in float64. */
const MOST_HALVES = 2 ** 21;

/** Adds many values exactly: the halves of mantissas of the same exponent as float64 integers, those sums as large ones at the end. */
export class ExactAdder {
  private sums = new Map<number, { low: number; high: number }>();
  private added = 0;
  private total: ExactSum = ZERO;

  add(value: number): void {
    double[0] = value;
    const [low, word] = [halves[0]!, halves[1]!];
    const exponent = (word >>> 20) & 0x7ff;
    if (exponent === 0x7ff) {
      this.total = addExact(this.total, { units: 0n, special: value });
      return;
    }
    let sum = this.sums.get(exponent);
    if (!sum) {
      sum = { low: 0, high: 0 };
      this.sums.set(exponent, sum);
    }
    const high = (word & 0xfffff) + (exponent === 0 ? 0 : 0x100000);
    const sign = word >>> 31 ? -1 : 1;
    sum.low += sign * low;
    sum.high += sign * high;
    if (++this.added === MOST_HALVES) this.result();
  }

  result(): ExactSum {
    let { units } = this.total;
    for (const [exponent, { low, high }] of this.sums) {
      const mantissas = (BigInt(high) << 32n) + BigInt(low);
      units += mantissas << BigInt(Math.max(exponent - 1, 0));
    }
    this.sums.clear();
    this.added = 0;
    this.total = { ...this.total, units };
    return this.total;
  }
}

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
