import fc from "fast-check";
import { expect, test } from "vitest";
import { cholesky, choleskyWithJitter, extendFactor, invertFromTransposed, invertLowerTransposed } from "./linalg.ts";
import { createStream, purposes } from "./rng.ts";
import { solveLower, solveLowerTransposed } from "./substitution.ts";

interface Matrix {
  readonly n: number;
  /** [n, n] symmetric positive definite */
  readonly a: Float64Array;
}

/** A random positive definite matrix B B^T / n + I [n, n]. */
function randomMatrix(n: number, seed: number): Matrix {
  const stream = createStream(seed, 0, purposes.start);
  const b = Float64Array.from({ length: n * n }, () => stream.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) a[i * n + j]! += (b[i * n + k]! * b[j * n + k]!) / n;
    }
    a[i * n + i]! += 1;
  }
  return { n, a };
}

/** Sizes on both sides of one and two panels. */
const matrices = fc
  .tuple(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 61, max: 135 })), fc.nat({ max: 1000 }))
  .map(([n, seed]) => randomMatrix(n, seed));

/** The textbook's algorithm, one element after another. */
function plainCholesky({ n, a }: Matrix): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j]!;
      for (let k = 0; k < j; k++) rest -= l[i * n + k]! * l[j * n + k]!;
      l[i * n + j] = i === j ? Math.sqrt(rest) : rest / l[j * n + j]!;
    }
  }
  return l;
}

function factored({ n, a }: Matrix): Float64Array {
  const l = a.slice();
  expect(cholesky(l, n)).toBe(true);
  return lowerOf(l, n);
}

function lowerOf(l: Float64Array, n: number): Float64Array {
  return l.map((value, index) => (index % n > Math.floor(index / n) ? 0 : value));
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
}

const settings = { numRuns: 30, seed: 2 };

test("the blocked factor is the plain one to rounding", () => {
  fc.assert(
    fc.property(matrices, (matrix) => {
      expect(largestDifference(factored(matrix), plainCholesky(matrix))).toBeLessThan(1e-13);
    }),
    settings,
  );
});

test("factor and solves invert any positive definite matrix", () => {
  fc.assert(
    fc.property(matrices, (matrix) => {
      const { n, a } = matrix;
      const factor = factored(matrix);
      const x = Float64Array.from({ length: n }, (_, i) => (i % 7) - 2.5);
      const b = Float64Array.from(x, (_, i) => x.reduce((sum, value, j) => sum + a[i * n + j]! * value, 0));
      solveLower(factor, n, b);
      solveLowerTransposed(factor, n, b);
      expect(largestDifference(b, x)).toBeLessThan(1e-10);
    }),
    settings,
  );
});

test("a right-hand side among many has the bits it has alone", () => {
  fc.assert(
    fc.property(matrices, fc.integer({ min: 1, max: 9 }), (matrix, count) => {
      const { n } = matrix;
      const factor = factored(matrix);
      const stream = createStream(n, count, purposes.start);
      const together = Float64Array.from({ length: count * n }, () => stream.normal());
      const alone = together.slice();
      for (const solve of [solveLower, solveLowerTransposed]) {
        solve(factor, n, together, count);
        for (let r = 0; r < count; r++) solve(factor, n, alone.subarray(r * n, (r + 1) * n));
        expect(alone).toEqual(together);
      }
    }),
    settings,
  );
});

test("rows appended in any portions give the factor of the whole matrix, bit for bit", () => {
  fc.assert(
    fc.property(matrices, fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }), (matrix, portions) => {
      const { n, a } = matrix;
      const grown = a.slice();
      for (let from = 0, turn = 0; from < n; turn++) {
        const to = Math.min(n, from + portions[turn % portions.length]!);
        expect(extendFactor(grown, 0, n, 0, from, to)).toBe(true);
        from = to;
      }
      expect(lowerOf(grown, n)).toEqual(factored(matrix));
    }),
    settings,
  );
});

test("rows kept in a matrix of their own extend a factor as if they lay below it", () => {
  fc.assert(
    fc.property(matrices, fc.integer({ min: 0, max: 200 }), (matrix, place) => {
      const { n, a } = matrix;
      const first = place % n;
      const factor = factored(matrix);
      const border = a.slice(first * n);
      for (let r = 0; r < n - first; r++) border.set(factor.subarray((first + r) * n, (first + r) * n + first), r * n);
      expect(extendFactor(border, 0, n, first, first, n)).toBe(true);
      for (let r = first; r < n; r++) {
        expect(border.subarray((r - first) * n, (r - first) * n + r + 1)).toEqual(
          factor.subarray(r * n, r * n + r + 1),
        );
      }
    }),
    settings,
  );
});

test("a point the others determine gets the floor as its variance", () => {
  const l = Float64Array.of(1, 0, 1, 1);
  expect(extendFactor(l.slice(), 0, 2, 0, 1, 2)).toBe(false);
  expect(extendFactor(l, 0, 2, 0, 1, 2, 1e-6)).toBe(true);
  expect(l[3]).toBe(1e-3);
});

test("the transposed inverse factor yields the inverse matrix", () => {
  fc.assert(
    fc.property(matrices, (matrix) => {
      const { n, a } = matrix;
      const t = new Float64Array(n * n);
      invertLowerTransposed(factored(matrix), n, t);
      const inverse = new Float64Array(n * n);
      invertFromTransposed(t, n, inverse);
      for (let i = 0; i < n; i += 5) {
        for (let j = 0; j < n; j += 3) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += a[i * n + k]! * inverse[Math.max(k, j) * n + Math.min(k, j)]!;
          expect(sum).toBeCloseTo(i === j ? 1 : 0, 10);
        }
      }
    }),
    settings,
  );
});

test("jitter rescues a singular matrix, no more of it than needed, and refuses one that holds NaN", () => {
  const withJitter = (a: Float64Array, n: number): Float64Array =>
    choleskyWithJitter(n, 1, (factor) => factor.set(a)).factor;
  const singular = Float64Array.from([1, 1, 1, 1]);
  expect(cholesky(singular.slice(), 2)).toBe(false);
  expect(withJitter(singular, 2)[3]! ** 2).toBeCloseTo(2e-10, 12);
  const indefinite = Float64Array.from([1, 1 + 1e-6, 1 + 1e-6, 1]);
  expect(withJitter(indefinite, 2)[0]! ** 2).toBeCloseTo(1 + 1e-5, 10);
  expect(() => withJitter(Float64Array.of(Number.NaN), 1)).toThrow(RangeError);
});
