// Squared Euclidean distances between the rows of two matrices, four at a time. Differences are squared rather than
// expanded into products, so that near neighbours keep all their digits.

/**
 * Squared distances from the row of `a` that starts at `aStart` to the first `count` rows of `b` [count, d], written
 * to `out` from `outStart` on.
 */
export function squaredDistances(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  count: number,
  d: number,
  out: Float64Array,
  outStart: number,
): void {
  let j = 0;
  for (; j + 3 < count; j += 4) {
    const b0 = j * d;
    const b1 = b0 + d;
    const b2 = b1 + d;
    const b3 = b2 + d;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0; k < d; k++) {
      const x = a[aStart + k]!;
      const d0 = x - b[b0 + k]!;
      const d1 = x - b[b1 + k]!;
      const d2 = x - b[b2 + k]!;
      const d3 = x - b[b3 + k]!;
      s0 += d0 * d0;
      s1 += d1 * d1;
      s2 += d2 * d2;
      s3 += d3 * d3;
    }
    out[outStart + j] = s0;
    out[outStart + j + 1] = s1;
    out[outStart + j + 2] = s2;
    out[outStart + j + 3] = s3;
  }
  for (; j < count; j++) {
    let sum = 0;
    for (let k = 0; k < d; k++) {
      const difference = a[aStart + k]! - b[j * d + k]!;
      sum += difference * difference;
    }
    out[outStart + j] = sum;
  }
}

/**
 * Adds sum_j weights[weightStart + j] (a_k - b_jk) to out[outStart + k], over the first `count` rows b_j of `b`
 * [count, d]: what squared distances from a change by when a moves, halved and weighted.
 */
export function addWeightedDifferences(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  count: number,
  d: number,
  weights: Float64Array,
  weightStart: number,
  out: Float64Array,
  outStart: number,
): void {
  let j = 0;
  for (; j + 3 < count; j += 4) {
    const b0 = j * d;
    const b1 = b0 + d;
    const b2 = b1 + d;
    const b3 = b2 + d;
    const w0 = weights[weightStart + j]!;
    const w1 = weights[weightStart + j + 1]!;
    const w2 = weights[weightStart + j + 2]!;
    const w3 = weights[weightStart + j + 3]!;
    for (let k = 0; k < d; k++) {
      const x = a[aStart + k]!;
      out[outStart + k]! +=
        w0 * (x - b[b0 + k]!) + w1 * (x - b[b1 + k]!) + (w2 * (x - b[b2 + k]!) + w3 * (x - b[b3 + k]!));
    }
  }
  for (; j < count; j++) {
    const w = weights[weightStart + j]!;
    for (let k = 0; k < d; k++) out[outStart + k]! += w * (a[aStart + k]! - b[j * d + k]!);
  }
}

/** The same for squared differences: adds sum_j weights[weightStart + j] (a_k - b_jk)^2 to out[k]. */
export function addWeightedSquares(
  a: Float64Array,
  aStart: number,
  b: Float64Array,
  count: number,
  d: number,
  weights: Float64Array,
  weightStart: number,
  out: Float64Array,
): void {
  let j = 0;
  for (; j + 3 < count; j += 4) {
    const b0 = j * d;
    const b1 = b0 + d;
    const b2 = b1 + d;
    const b3 = b2 + d;
    const w0 = weights[weightStart + j]!;
    const w1 = weights[weightStart + j + 1]!;
    const w2 = weights[weightStart + j + 2]!;
    const w3 = weights[weightStart + j + 3]!;
    for (let k = 0; k < d; k++) {
      const x = a[aStart + k]!;
      const d0 = x - b[b0 + k]!;
      const d1 = x - b[b1 + k]!;
      const d2 = x - b[b2 + k]!;
      const d3 = x - b[b3 + k]!;
      out[k]! += w0 * d0 * d0 + w1 * d1 * d1 + (w2 * d2 * d2 + w3 * d3 * d3);
    }
  }
  for (; j < count; j++) {
    const w = weights[weightStart + j]!;
    for (let k = 0; k < d; k++) out[k]! += w * (a[aStart + k]! - b[j * d + k]!) ** 2;
  }
}
