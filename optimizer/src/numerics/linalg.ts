// Dense Cholesky algebra on row-major Float64Arrays. Only the lower triangle is read or written. Inner loops run
// along rows (contiguous memory) with four partial sums in a fixed order, so results are reproducible bit by bit.

/** Sum over k in [from, to) of a[aStart + k] * b[bStart + k]. */
function dot(a: Float64Array, aStart: number, b: Float64Array, bStart: number, from: number, to: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = from;
  for (; k + 3 < to; k += 4) {
    s0 += a[aStart + k]! * b[bStart + k]!;
    s1 += a[aStart + k + 1]! * b[bStart + k + 1]!;
    s2 += a[aStart + k + 2]! * b[bStart + k + 2]!;
    s3 += a[aStart + k + 3]! * b[bStart + k + 3]!;
  }
  for (; k < to; k++) s0 += a[aStart + k]! * b[bStart + k]!;
  return s0 + s1 + (s2 + s3);
}

/**
 * Factors A [n, n] = L L^T in place. Returns false when A is not numerically positive
 * definite; the contents are then undefined.
 */
export function cholesky(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j < i; j++) a[row + j] = (a[row + j]! - dot(a, row, a, j * n, 0, j)) / a[j * n + j]!;
    const pivot = a[row + i]! - dot(a, row, a, row, 0, i);
    // Negated so that NaN fails too.
    if (!(pivot > 1e-14 * a[row + i]!)) return false;
    a[row + i] = Math.sqrt(pivot);
  }
  return true;
}

/**
 * Cholesky of A plus the smallest diagonal of the ladder 0, 1e-10 .. 1e-2 (times `scale`) that makes it positive
 * definite. Returns L [n, n] in a new array. Throws RangeError if even the last rung fails (NaN in A).
 */
export function choleskyWithJitter(a: Float64Array, n: number, scale: number): Float64Array {
  for (let jitter = 0; jitter <= 1e-2; jitter = jitter === 0 ? 1e-10 : jitter * 10) {
    const factor = a.slice(0, n * n);
    for (let i = 0; i < n; i++) factor[i * n + i]! += jitter * scale;
    if (cholesky(factor, n)) return factor;
  }
  throw new RangeError(`a ${n} x ${n} covariance is not positive definite`);
}

/**
 * Extends a factor by one row: rows before `row` hold L, `row` holds the new covariances up to its diagonal. A pivot
 * below `floor` (a point the others already determine) is raised to it.
 */
export function appendCholeskyRow(a: Float64Array, n: number, row: number, floor: number): void {
  const start = row * n;
  for (let j = 0; j < row; j++) a[start + j] = (a[start + j]! - dot(a, start, a, j * n, 0, j)) / a[j * n + j]!;
  a[start + row] = Math.sqrt(Math.max(a[start + row]! - dot(a, start, a, start, 0, row), floor));
}

/** Solves L x = b in place. */
export function solveLower(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) b[i] = (b[i]! - dot(l, i * n, b, 0, 0, i)) / l[i * n + i]!;
}

/** Solves L^T x = b in place. */
export function solveLowerTransposed(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--) {
    const row = i * n;
    const x = b[i]! / l[row + i]!;
    b[i] = x;
    for (let k = 0; k < i; k++) b[k]! -= l[row + k]! * x;
  }
}

/** Writes the upper triangle of T = L^-T [n, n]: row j of T is column j of L^-1. */
export function invertLowerTransposed(l: Float64Array, n: number, t: Float64Array): void {
  for (let j = 0; j < n; j++) {
    const row = j * n;
    t[row + j] = 1 / l[row + j]!;
    for (let i = j + 1; i < n; i++) t[row + i] = -dot(l, i * n, t, row, j, i) / l[i * n + i]!;
  }
}

/** Element (i, j), i >= j, of (L L^T)^-1 from T = L^-T. */
export function inverseElement(t: Float64Array, n: number, i: number, j: number): number {
  return dot(t, i * n, t, j * n, i, n);
}
