// exp and log of elements, written in the language itself, so that every back-end computes the same bits: reduction to a small
// interval by powers of two, then a polynomial (exp: Cephes expf; log: the series of atanh). Within a few float32 roundings.
import { add, div, exponent, type F32, floor, gt, max, mul, powerOfTwo, select, sub } from "./expr.ts";

/** e^x for x up to 88; below -87 it stays at e^-87. */
export function exp(x: F32): F32 {
  const bounded = max(x, -87);
  const n = floor(add(mul(bounded, Math.LOG2E), 0.5));
  const r = sub(sub(bounded, mul(n, 0.693359375)), mul(n, -2.1219444e-4));
  const terms = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
  const polynomial = polynomialOf(terms, r);
  return mul(add(add(mul(polynomial, mul(r, r)), r), 1), powerOfTwo(n));
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
