import fc from "fast-check";
import { expect, test } from "vitest";
import {
  appendCholeskyRow,
  cholesky,
  choleskyWithJitter,
  inverseElement,
  invertLowerTransposed,
  solveLower,
  solveLowerTransposed,
} from "./linalg.ts";

/** A random positive definite matrix B B^T + I [n, n]. */
const matrices = fc
  .integer({ min: 1, max: 12 })
  .chain((n) => fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: n * n, maxLength: n * n }))
  .map((entries) => {
    const n = Math.sqrt(entries.length);
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        for (let k = 0; k < n; k++) a[i * n + j]! += entries[i * n + k]! * entries[j * n + k]!;
        if (i === j) a[i * n + j]! += 1;
      }
    }
    return { n, a };
  });

test("factor and solves invert any positive definite matrix", () => {
  fc.assert(
    fc.property(matrices, ({ n, a }) => {
      const factor = a.slice();
      expect(cholesky(factor, n)).toBe(true);
      const x = Float64Array.from({ length: n }, (_, i) => i - 2.5);
      const b = Float64Array.from(x, (_, i) => x.reduce((sum, value, j) => sum + a[i * n + j]! * value, 0));
      solveLower(factor, n, b);
      solveLowerTransposed(factor, n, b);
      for (let i = 0; i < n; i++) expect(b[i]).toBeCloseTo(x[i]!, 8);
    }),
    { seed: 2 },
  );
});

test("appending rows one by one gives the factor of the whole matrix", () => {
  fc.assert(
    fc.property(matrices, ({ n, a }) => {
      const whole = a.slice();
      cholesky(whole, n);
      const grown = a.slice();
      for (let row = 0; row < n; row++) appendCholeskyRow(grown, n, row, 0);
      expect(grown).toEqual(whole);
    }),
    { seed: 3 },
  );
});

test("the transposed inverse factor yields the inverse matrix", () => {
  fc.assert(
    fc.property(matrices, ({ n, a }) => {
      const factor = a.slice();
      cholesky(factor, n);
      const t = new Float64Array(n * n);
      invertLowerTransposed(factor, n, t);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += a[i * n + k]! * inverseElement(t, n, Math.max(k, j), Math.min(k, j));
          expect(sum).toBeCloseTo(i === j ? 1 : 0, 7);
        }
      }
    }),
    { seed: 4 },
  );
});

test("jitter rescues a singular matrix and refuses one that holds NaN", () => {
  const singular = Float64Array.from([1, 1, 1, 1]);
  expect(cholesky(singular.slice(), 2)).toBe(false);
  expect(choleskyWithJitter(singular, 2, 1)[3]).toBeGreaterThan(0);
  expect(() => choleskyWithJitter(Float64Array.from([Number.NaN]), 1, 1)).toThrow(RangeError);
});
