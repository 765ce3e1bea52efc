// Forward and backward substitution on row-major Float64Arrays. A matrix is a buffer, where its first row starts, and a stride.
// Right-hand sides are rows too, so that all inner loops run along contiguous memory. Work goes in tiles of 2 x 4
// elements with eight independent sums, over panels of 64 columns that stay in the first-level cache.
//
// Every element is reduced in one order, however the work is cut: one panel's products are summed from left to right,
// and that sum is subtracted, panel after panel. Hence one right-hand side gives the same bits as the same one among
// many, and a factor grown row by row the same bits as a factor of the whole.

import { loadRows, panel, reserve, rowsAtOnce, solvePanel, storeRows, subtractPanel } from "./tiles.ts";

/** From so many right-hand sides on WebAssembly is worth moving them. The bits are the same on either way. */
export const leastTogether = 8;

/** First column of the panel that holds `column`. */
export const panelStart = (column: number): number => column - (column % panel);

/** Solves L x = b in place for each of the `count` rows b of `rhs` [count, n]. */
export function solveLower(l: Float64Array, n: number, rhs: Float64Array, count = 1): void {
  solveColumns(l, 0, n, 0, 0, n, rhs, 0, n, count, 0);
}

/**
 * Forward substitution for columns `from` to `to` of the `count` rows of x, whose columns before `from` are solved,
 * and zero before `zeros`. Row j of L lies at `origin` + (j - first) * `stride`.
 */
export function solveColumns(
  l: Float64Array,
  origin: number,
  stride: number,
  first: number,
  from: number,
  to: number,
  x: Float64Array,
  xStart: number,
  xStride: number,
  count: number,
  zeros: number,
): void {
  for (let row = 0; row < count; row += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, count - row);
    const block = xStart + row * xStride;
    const isTogether = rows >= leastTogether && to > from;
    if (isTogether) {
      reserve(to);
      loadRows(x, block, xStride, rows, panelStart(zeros), to);
    }
    for (let start = from; start < to; ) {
      const end = Math.min(to, panelStart(start) + panel);
      const at = origin + (start - first) * stride;
      const k0 = panelStart(start);
      for (let k = panelStart(zeros); k < k0; k += panel) {
        if (isTogether) subtractPanel(l, at, stride, start, end, rows, k, k + panel);
        else subtractProducts(l, at, stride, start, end, x, block, xStride, rows, k, k + panel);
      }
      if (isTogether) solvePanel(l, at, stride, start, end, rows, k0);
      else solveTriangle(l, at, stride, start, end, x, block, xStride, rows, k0);
      start = end;
    }
    if (isTogether) storeRows(x, block, xStride, rows, from, to);
  }
}

/** x[r, j] -= sum over k in [k0, k1) of x[r, k] l[j, k], for the rows r of x and columns j from `start` to `end`. */
export function subtractProducts(
  l: Float64Array,
  at: number,
  stride: number,
  start: number,
  end: number,
  x: Float64Array,
  block: number,
  xStride: number,
  rows: number,
  k0: number,
  k1: number,
): void {
  for (let r = 0; r < rows; r += 2) {
    const u = block + r * xStride;
    const width = Math.min(2, rows - r);
    for (let j = start; j < end; j += 4) {
      const height = Math.min(4, end - j);
      const row = at + (j - start) * stride;
      tile(x, u, xStride, width, l, row, stride, height, k0, k1);
      for (let q = 0; q < height; q++) x[u + j + q]! -= sums[q]!;
      if (width === 2) for (let q = 0; q < height; q++) x[u + xStride + j + q]! -= sums[4 + q]!;
    }
  }
}

/** Forward substitution within one panel, of which columns from `k0` on are still to be subtracted. */
export function solveTriangle(
  l: Float64Array,
  at: number,
  stride: number,
  start: number,
  end: number,
  x: Float64Array,
  block: number,
  xStride: number,
  rows: number,
  k0: number,
): void {
  for (let j = start; j < end; j += 4) {
    const height = Math.min(4, end - j);
    const row = at + (j - start) * stride;
    const entry = row + j;
    // The triangle of the tile itself.
    const isFull = height === 4;
    const l10 = isFull ? l[entry + stride]! : 0;
    const l20 = isFull ? l[entry + 2 * stride]! : 0;
    const l21 = isFull ? l[entry + 2 * stride + 1]! : 0;
    const l30 = isFull ? l[entry + 3 * stride]! : 0;
    const l31 = isFull ? l[entry + 3 * stride + 1]! : 0;
    const l32 = isFull ? l[entry + 3 * stride + 2]! : 0;
    for (let q = 0; q < height; q++) reciprocals[q] = 1 / l[entry + q * stride + q]!;
    const i0 = reciprocals[0]!;
    const i1 = reciprocals[1]!;
    const i2 = reciprocals[2]!;
    const i3 = reciprocals[3]!;
    for (let r = 0; r < rows; r += 2) {
      const u = block + r * xStride;
      const width = Math.min(2, rows - r);
      tile(x, u, xStride, width, l, row, stride, height, k0, j);
      for (let w = 0; w < width; w++) {
        const v = u + w * xStride + j;
        const x0 = (x[v]! - sums[4 * w]!) * i0;
        x[v] = x0;
        if (isFull) {
          const x1 = (x[v + 1]! - (sums[4 * w + 1]! + x0 * l10)) * i1;
          const x2 = (x[v + 2]! - (sums[4 * w + 2]! + x0 * l20 + x1 * l21)) * i2;
          x[v + 1] = x1;
          x[v + 2] = x2;
          x[v + 3] = (x[v + 3]! - (sums[4 * w + 3]! + x0 * l30 + x1 * l31 + x2 * l32)) * i3;
          continue;
        }
        for (let q = 1; q < height; q++) {
          let sum = sums[4 * w + q]!;
          for (let k = 0; k < q; k++) sum += x[v + k]! * l[entry + q * stride + k]!;
          x[v + q] = (x[v + q]! - sum) * reciprocals[q]!;
        }
      }
    }
  }
}

/** Of the diagonal of the tile being solved. */
const reciprocals = new Float64Array(4);

/** What `tile` answers: products of its first row with rows 0 to 3 of L, then of its second. */
const sums = new Float64Array(8);

/** Inner products over k in [k0, k1) of `width` (1 or 2) rows of x with `height` (1 to 4) rows of L. */
function tile(
  x: Float64Array,
  u: number,
  xStride: number,
  width: number,
  l: Float64Array,
  row: number,
  stride: number,
  height: number,
  k0: number,
  k1: number,
): void {
  const v = width === 2 ? u + xStride : u;
  if (height < 4) {
    for (let q = 0; q < height; q++) {
      const l0 = row + q * stride;
      let u0 = 0;
      let v0 = 0;
      for (let k = k0; k < k1; k++) {
        u0 += x[u + k]! * l[l0 + k]!;
        v0 += x[v + k]! * l[l0 + k]!;
      }
      sums[q] = u0;
      sums[4 + q] = v0;
    }
    return;
  }
  const l1 = row + stride;
  const l2 = l1 + stride;
  const l3 = l2 + stride;
  let u0 = 0;
  let u1 = 0;
  let u2 = 0;
  let u3 = 0;
  if (width === 1) {
    for (let k = k0; k < k1; k++) {
      const p = x[u + k]!;
      u0 += p * l[row + k]!;
      u1 += p * l[l1 + k]!;
      u2 += p * l[l2 + k]!;
      u3 += p * l[l3 + k]!;
    }
  } else {
    let v0 = 0;
    let v1 = 0;
    let v2 = 0;
    let v3 = 0;
    for (let k = k0; k < k1; k++) {
      const p = x[u + k]!;
      const q = x[v + k]!;
      const a = l[row + k]!;
      u0 += p * a;
      v0 += q * a;
      const b = l[l1 + k]!;
      u1 += p * b;
      v1 += q * b;
      const c = l[l2 + k]!;
      u2 += p * c;
      v2 += q * c;
      const d = l[l3 + k]!;
      u3 += p * d;
      v3 += q * d;
    }
    sums[4] = v0;
    sums[5] = v1;
    sums[6] = v2;
    sums[7] = v3;
  }
  sums[0] = u0;
  sums[1] = u1;
  sums[2] = u2;
  sums[3] = u3;
}

/** Solves L^T x = b in place for each of the `count` rows b of `rhs` [count, n]. */
export function solveLowerTransposed(l: Float64Array, n: number, rhs: Float64Array, count = 1): void {
  solveColumnsTransposed(l, 0, n, 0, n, rhs, n, count);
}

/**
 * Backward substitution for columns `to` - 1 down to `first` of the `count` rows of x, whose columns from `to` on are
 * solved; what is solved is subtracted from all columns before it. Row j of L lies at `origin` + (j - first) * `stride`.
 */
export function solveColumnsTransposed(
  l: Float64Array,
  origin: number,
  stride: number,
  first: number,
  to: number,
  x: Float64Array,
  xStride: number,
  count: number,
): void {
  for (let end = to; end > first; ) {
    const start = Math.max(first, end - 4);
    const at = origin + (start - first) * stride;
    for (let r = 0; r < count; r++) {
      const row = r * xStride;
      for (let j = end - 1; j >= start; j--) {
        const entries = at + (j - start) * stride;
        const solved = x[row + j]! / l[entries + j]!;
        x[row + j] = solved;
        for (let k = start; k < j; k++) x[row + k]! -= l[entries + k]! * solved;
      }
      subtractRows(l, at, stride, x, row, start, end - start);
    }
    end = start;
  }
}

/** x[k] -= sum over q in [0, height) of l[q, k] x[start + q], for all k before `start`. */
function subtractRows(
  l: Float64Array,
  at: number,
  stride: number,
  x: Float64Array,
  row: number,
  start: number,
  height: number,
): void {
  if (height < 4) {
    for (let q = 0; q < height; q++) {
      const factor = x[row + start + q]!;
      for (let k = 0; k < start; k++) x[row + k]! -= l[at + q * stride + k]! * factor;
    }
    return;
  }
  const l1 = at + stride;
  const l2 = l1 + stride;
  const l3 = l2 + stride;
  const x0 = x[row + start]!;
  const x1 = x[row + start + 1]!;
  const x2 = x[row + start + 2]!;
  const x3 = x[row + start + 3]!;
  for (let k = 0; k < start; k++) {
    x[row + k]! -= l[at + k]! * x0 + l[l1 + k]! * x1 + (l[l2 + k]! * x2 + l[l3 + k]! * x3);
  }
}
