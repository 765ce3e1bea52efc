// What each operator means, on plain numbers; masks are 1 and 0. The interpreter and the scalar
// programs run these; the WebAssembly compiler must agree with them to the bit in float32.
import { roundedTo } from "./convert.ts";
import type { Operator } from "./expr.ts";

const double = new DataView(new ArrayBuffer(8));
function exponentOf(x: number): number {
  double.setFloat64(0, x);
  return ((double.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

const bit = (condition: boolean): number => (condition ? 1 : 0);

export const OPERATORS: Readonly<Record<Operator, (a: number, b: number, c: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => Math.min(b, a),
  max: (a, b) => Math.max(a, b),
  abs: Math.abs,
  neg: (a) => -a,
  sqrt: Math.sqrt,
  floor: Math.floor,
  wide: (a) => a,
  sin: Math.sin,
  cos: Math.cos,
  acos: Math.acos,
  powerOfTwo: (n) => 2 ** Math.min(127, Math.max(-126, n)),
  exponent: exponentOf,
  roundBF16: (a) => roundedTo(a, "BF16"),
  roundF16: (a) => roundedTo(a, "F16"),
  eq: (a, b) => bit(a === b),
  ne: (a, b) => bit(a !== b),
  lt: (a, b) => bit(a < b),
  le: (a, b) => bit(a <= b),
  gt: (a, b) => bit(a > b),
  ge: (a, b) => bit(a >= b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  not: (a) => 1 - a,
  select: (mask, a, b) => (mask ? a : b),
};

/** How numbers are rounded after every operation: float32 gives exactly a kernel's results, float64 the mathematics. */
export type Precision = "float32" | "float64";
export const rounding = (precision: Precision): ((x: number) => number) =>
  precision === "float32" ? Math.fround : (x) => x;
