// exp, tanh and log of elements, written in the language itself, so that every back-end computes the same bits: reduction to a
// small interval by powers of two, then a series (log: that of atanh). Within a few float32 roundings; exp and tanh in float64 to 1e-11.
import {
  abs,
  add,
  div,
  exponent,
  type F32,
  floor,
  gt,
  lt,
  max,
  min,
  mul,
  neg,
  powerOfTwo,
  select,
  sub,
} from "./expr.ts";

/** e^x for x up to 88; below -87 it stays at e^-87. */
export function exp(x: F32): F32 {
  const { whole, part } = reduced(max(x, -87));
  return mul(add(part, 1), powerOfTwo(whole));
}

/** The hyperbolic tangent of any number, with small relative error near zero too. */
export function tanh(x: F32): F32 {
  // Beyond 20 the result is 1 in float32 and in float64.
  const { whole, part } = reduced(min(mul(abs(x), 2), 40));
  const power = powerOfTwo(whole);
  // e^2|x| - 1, exact to its last places also where it is tiny: there `whole` is 0.
  const growth = add(mul(power, part), sub(power, 1));
  const size = div(growth, add(growth, 2));
  return select(lt(x, 0), neg(size), size);
}

/** e^x = 2^whole (1 + part). */
function reduced(x: F32): { readonly whole: F32; readonly part: F32 } {
  const whole = floor(add(mul(x, Math.LOG2E), 0.5));
  const r = sub(sub(x, mul(whole, 0.693359375)), mul(whole, -2.1219444005469057e-4));
  const terms = [1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2];
  return { whole, part: add(mul(polynomialOf(terms, r), mul(r, r)), r) };
}

/** The natural logarithm of a positive, normal number. */
export function log(x: F32): F32 {
  const whole = exponent(x);
  const mantissa = mul(x, powerOfTwo(sub(0, whole)));
  const large = gt(mantissa, Math.SQRT2);
  const m = select(large, mul(mantissa, 0.5), mantissa);
  const s = div(sub(m, 1), add(m, 1));
  const series = polynomialOf([1 / 9, 1 / 7, 1 / 5, 1 / 3, 1], mul(s, s));
  return add(mul(select(large, add(whole, 1), whole), Math.LN2), mul(mul(s, 2), series));
}

/** Horner's rule, highest power first. */
function polynomialOf([first = 0, ...rest]: readonly number[], x: F32): F32 {
  return rest.slice(1).reduce((sum, term) => add(mul(sum, x), term), add(mul(x, first), rest[0] ?? 0));
}
