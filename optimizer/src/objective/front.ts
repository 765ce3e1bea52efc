// Who dominates whom, and where the hypervolume of a front begins. Larger is better in every objective.

/** Is `a` at least as good as `b` in everything, and better in something? */
export function dominates(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  let isBetter = false;
  for (let j = 0; j < a.length; j++) {
    if (a[j]! < b[j]!) return false;
    if (a[j]! > b[j]!) isBetter = true;
  }
  return isBetter;
}

/** Positions of the points that none of the others dominates; equal points do not dominate each other. */
export function nonDominated(points: readonly ArrayLike<number>[]): number[] {
  return [...points.keys()].filter((i) => !points.some((other) => dominates(other, points[i]!)));
}

export interface Extremes {
  /** Per objective, the largest and the smallest value on the front. */
  readonly ideal: number[];
  readonly nadir: number[];
}

/** `front` has at least one point. */
export function extremesOf(front: readonly ArrayLike<number>[]): Extremes {
  const along = (pick: (...values: number[]) => number): number[] =>
    Array.from(front[0]!, (_, j) => pick(...front.map((point) => point[j]!)));
  return { ideal: along(Math.max), nadir: along(Math.min) };
}

/**
 * A tenth of the range of all points below the nadir of their front. A tenth of the front's own range, as is common,
 * keeps a search where it happened to find its first points: a short front can hardly grow. `points` are not empty;
 * a metric in which they do not differ counts as having a range of 1.
 */
export function inferredReference(points: readonly ArrayLike<number>[]): number[] {
  const { nadir } = extremesOf(nonDominated(points).map((index) => points[index]!));
  const { ideal: highest, nadir: lowest } = extremesOf(points);
  return nadir.map((low, j) => low - 0.1 * (highest[j]! - lowest[j]! || 1));
}
