// Cholesky factors and inverses, in the tiles and the order of sums of substitution.ts.

import { leastTogether, panelStart, solveColumns, solveTriangle, subtractProducts } from "./substitution.ts";
import { clearElements, loadRows, panel, reserve, storeRows, subtractPanel } from "./tiles.ts";

/**
 * Factors A [n, n] = L L^T in place, reading the lower triangle; above the diagonal the contents are undefined
 * afterwards. Returns false when A is not numerically positive definite; all contents are then undefined.
 */
export function cholesky(a: Float64Array, n: number): boolean {
  return extendFactor(a, 0, n, 0, 0, n);
}

/**
 * Extends a factor: on entry rows before `from` hold L, rows from `from` to `to` the new covariances up to their
 * diagonals. Row i lies at `origin` + (i - first) * `stride`; columns before `first` are already solved. A pivot below
 * `floor` (a point the others already determine) is raised to it; without `floor` it makes the answer false.
 */
export function extendFactor(
  a: Float64Array,
  origin: number,
  stride: number,
  first: number,
  from: number,
  to: number,
  floor?: number,
): boolean {
  const diagonal = new Float64Array(panel);
  for (let start = from; start < to; ) {
    const end = Math.min(to, panelStart(start) + panel);
    const block = origin + (start - first) * stride;
    for (let i = start; i < end; i++) diagonal[i - start] = a[block + (i - start) * stride + i]!;
    solveColumns(a, origin, stride, first, first, start, a, block, stride, end - start, 0);
    subtractOwnProducts(a, block, stride, start, end);
    for (let i = start; i < end; i++) {
      const row = block + (i - start) * stride;
      // Four rows together up to the first one's diagonal, then each as far as its own.
      const corner = i - ((i - start) % 4);
      const at = block + (corner - start) * stride;
      const rows = Math.min(4, end - corner);
      if (i === corner) solveTriangle(a, block, stride, start, i, a, row, stride, rows, panelStart(start));
      else solveTriangle(a, at, stride, corner, i, a, row, stride, 1, panelStart(start));
      let sum = 0;
      for (let k = panelStart(start); k < i; k++) sum += a[row + k]! * a[row + k]!;
      let pivot = a[row + i]! - sum;
      if (floor !== undefined) pivot = Math.max(pivot, floor);
      // Negated so that NaN fails too.
      else if (!(pivot > 1e-14 * diagonal[i - start]!)) return false;
      a[row + i] = Math.sqrt(pivot);
    }
    start = end;
  }
  return true;
}

/** Leading rows of a factor that is known already. */
export interface FactoredRows {
  readonly factor: Float64Array;
  readonly stride: number;
  readonly count: number;
  /** What was added to its diagonal. */
  readonly jitter: number;
}

/** Rungs tried in turn, in units of the diagonal. */
const jitters = [0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

/**
 * Cholesky of a covariance [n, n] plus the smallest diagonal of the ladder 0, 1e-10 .. 1e-2 (times `scale`) that makes
 * it positive definite. `fill` writes the covariance's lower rows from row `from` on; rows of `known` are taken as they
 * are where that gives the same factor. Throws RangeError if even the last rung fails (NaN in the covariance).
 */
export function choleskyWithJitter(
  n: number,
  scale: number,
  fill: (a: Float64Array, from: number) => void,
  known?: FactoredRows,
): { factor: Float64Array; jitter: number } {
  const factor = new Float64Array(n * n);
  for (const rung of jitters) {
    const jitter = rung * scale;
    // What failed below the known jitter would fail again: the known rows alone need it.
    if (known !== undefined && jitter < known.jitter) continue;
    const reused = known?.jitter === jitter ? known.count : 0;
    for (let i = 0; i < reused; i++) {
      factor.set(known!.factor.subarray(i * known!.stride, i * known!.stride + i + 1), i * n);
    }
    fill(factor, reused);
    for (let i = reused; i < n; i++) factor[i * n + i]! += jitter;
    if (extendFactor(factor, 0, n, 0, reused, n)) return { factor, jitter };
  }
  throw new RangeError(`a ${n} x ${n} covariance is not positive definite`);
}

/** Subtracts from each element (i, j) of a diagonal block what the rows i and j of earlier panels make of it. */
function subtractOwnProducts(a: Float64Array, block: number, stride: number, start: number, end: number): void {
  const rows = end - start;
  const before = panelStart(start);
  if (before === 0) return;
  if (rows < leastTogether) {
    for (let k = 0; k < before; k += panel) {
      subtractProducts(a, block, stride, start, end, a, block, stride, rows, k, k + panel);
    }
    return;
  }
  reserve(end);
  loadRows(a, block, stride, rows, 0, end);
  for (let k = 0; k < before; k += panel) subtractPanel(a, block, stride, start, end, rows, k, k + panel);
  storeRows(a, block, stride, rows, start, end);
}

/** Writes T = L^-T [n, n]: row j of T is column j of L^-1, zero before its diagonal. */
export function invertLowerTransposed(l: Float64Array, n: number, t: Float64Array): void {
  t.fill(0, 0, n * n);
  for (let j = 0; j < n; j++) t[j * n + j] = 1;
  for (let row = 0; row < n; row += panel) {
    solveColumns(l, 0, n, 0, row, n, t, row * n, n, Math.min(panel, n - row), row);
  }
}

/** Writes the lower triangle of (L L^T)^-1 [n, n] from T = L^-T; above the diagonal the contents are undefined. */
export function invertFromTransposed(t: Float64Array, n: number, inverse: Float64Array): void {
  reserve(2 * n);
  for (let i0 = 0; i0 < n; i0 += panel) {
    const rows = Math.min(panel, n - i0);
    loadRows(t, i0 * n, n, rows, i0, n);
    clearElements(0, i0 + rows, n);
    for (let j0 = 0; j0 <= i0; j0 += panel) {
      const j1 = Math.min(n, j0 + panel);
      for (let k = i0; k < n; k += panel) subtractPanel(t, j0 * n, n, j0, j1, rows, k, Math.min(n, k + panel), n);
    }
    storeRows(inverse, i0 * n, n, rows, 0, i0 + rows, n, -1);
  }
}
