// Which observations stand for all of them where all would take too long: to fit hyper-parameters, and as the data of
// a study of thousands of trials. Deterministic; rows are in ascending order.

import { squaredDistances } from "../numerics/distances.ts";
import type { TrainingData } from "./gp.ts";

/** How many rows are taken for which reason; a row is taken once, for the first of them. */
export interface Quota {
  /** Largest targets. */
  readonly best: number;
  /** Nearest to the row with the largest target. */
  readonly near: number;
  /** Last rows. */
  readonly latest: number;
  /** Of the rest, one after the other, the row farthest from all taken before. */
  readonly spread: number;
}

/**
 * Rows of `points` [count, d] that the quota takes; all, when it has room for them. Distances are between the points as
 * given: divide by length scales for the model's. O(count (spread + 1) d + count log count).
 */
export function representativeRows(points: Float64Array, d: number, targets: Float64Array, quota: Quota): Uint32Array {
  const count = targets.length;
  const all = Uint32Array.from({ length: count }, (_, row) => row);
  if (quota.best + quota.near + quota.latest + quota.spread >= count) return all;
  const isTaken = new Uint8Array(count);
  const take = (ranked: Iterable<number>, wanted: number): void => {
    let left = wanted;
    for (const row of ranked) {
      if (left === 0) return;
      if (isTaken[row]) continue;
      isTaken[row] = 1;
      left--;
    }
  };
  const byTarget = all.toSorted((a, b) => targets[b]! - targets[a]! || a - b);
  take(byTarget, quota.best);
  if (quota.near > 0) {
    const distances = new Float64Array(count);
    squaredDistances(points, byTarget[0]! * d, points, count, d, distances, 0);
    take(
      all.toSorted((a, b) => distances[a]! - distances[b]! || a - b),
      quota.near,
    );
  }
  take(all.toReversed(), quota.latest);
  spreadOut(points, d, isTaken, quota.spread);
  return all.filter((row) => isTaken[row]);
}

/** Marks `wanted` more rows, each the farthest from those marked so far (the first among equals). */
function spreadOut(points: Float64Array, d: number, isTaken: Uint8Array, wanted: number): void {
  const count = isTaken.length;
  const nearest = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  const row = new Float64Array(count);
  const approach = (to: number): void => {
    squaredDistances(points, to * d, points, count, d, row, 0);
    for (let i = 0; i < count; i++) if (row[i]! < nearest[i]!) nearest[i] = row[i]!;
  };
  for (let i = 0; i < count; i++) if (isTaken[i]) approach(i);
  for (let turn = 0; turn < wanted; turn++) {
    let farthest = -1;
    for (let i = 0; i < count; i++) {
      if (!isTaken[i] && (farthest < 0 || nearest[i]! > nearest[farthest]!)) farthest = i;
    }
    isTaken[farthest] = 1;
    approach(farthest);
  }
}

/** The given rows of the data. */
export function observationsAt(data: TrainingData, rows: Uint32Array): TrainingData {
  const { dimension } = data;
  return {
    dimension,
    count: rows.length,
    points: takeRows(data.points, dimension, rows),
    targets: takeRows(data.targets, 1, rows),
    noiseVariances: takeRows(data.noiseVariances, 1, rows),
  };
}

function takeRows(matrix: Float64Array, width: number, rows: Uint32Array): Float64Array {
  const taken = new Float64Array(rows.length * width);
  for (const [index, row] of rows.entries()) taken.set(matrix.subarray(row * width, (row + 1) * width), index * width);
  return taken;
}
