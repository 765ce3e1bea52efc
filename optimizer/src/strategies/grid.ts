// The grid: every combination of a few levels of every dimension. Choices have all their levels, whole numbers no more
// than there are, and weights that sum to 1 are all multiples of 1 / (levels - 1). Nothing says how many trials there
// will be, so a grid that is complete is followed by one with twice as many intervals, which keeps its points.

import { StudyError } from "../errors.ts";
import type { Dimension } from "../space/dimensions.ts";
import { createSpace, type Space } from "../space/space.ts";
import { firstNew, type Strategy, type Suggestion, usedUp } from "./strategy.ts";

export const defaultGridLevels = 3;
/** The share of an interval that the golden section cuts off. */
const goldenShare = (Math.sqrt(5) - 1) / 2;

export const grid: Strategy = (context) => {
  const { spec, space, ledger } = context;
  return firstNew(gridPoints(space, spec.gridLevels ?? defaultGridLevels, BigInt(usedUp(context, "grid"))), ledger);
};

/**
 * The most levels for every dimension with which the whole grid has at most `trials` points, and at least 2: for
 * StudySpec.gridLevels. Throws StudyError for a malformed space.
 */
export function largestGridLevels(dimensions: readonly Dimension[], trials: number): number {
  if (!Number.isSafeInteger(trials) || trials < 1)
    throw new StudyError(`trials must be a whole number >= 1, not ${trials}`);
  const space = createSpace(dimensions);
  const most = sizeOf(space, trials);
  let levels = 2;
  // Where only choices are searched, more levels make no larger grid.
  while (levels < trials && sizeOf(space, levels) < most && sizeOf(space, levels + 1) <= BigInt(trials)) levels++;
  return levels;
}

/**
 * Grids from `coarsest` up, without the first `used` points: each in an order in which every beginning is spread over
 * all of it. Ends where no grid is finer.
 */
function* gridPoints(space: Space, coarsest: number, used: bigint): Generator<Suggestion> {
  let skipped = used;
  for (let levels = coarsest; ; levels = 2 * levels - 1) {
    const size = sizeOf(space, levels);
    const isFinest = sizeOf(space, 2 * levels - 1) === size;
    if (skipped >= size && !isFinest) {
      skipped -= size;
      continue;
    }
    const stride = strideOf(size);
    // From the middle, in steps of the golden section.
    for (let k = skipped % size; k < size; k++)
      yield { unit: pointAt(space, levels, (size / 2n + k * stride) % size), origin: "grid" };
    if (isFinest) return;
    skipped = 0n;
  }
}

const sizeOf = (space: Space, levels: number): bigint =>
  space.groups.reduce((size, group) => size * group.gridSize(levels), 1n);

/** The number nearest to the golden share of `size`, from above, that has no factor in common with it. */
function strideOf(size: bigint): bigint {
  // Two steps keep the digits that a double has not.
  let stride =
    size < 2n ** 52n ? BigInt(Math.round(Number(size) * goldenShare)) : (size * BigInt(goldenShare * 2 ** 52)) >> 52n;
  while (greatestCommonDivisor(stride, size) !== 1n) stride++;
  return stride;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}

/** Point `index` of the grid: the digits of the index, the last dimension's first, say which level of each dimension. */
function pointAt(space: Space, levels: number, index: bigint): Float64Array {
  const unit = new Float64Array(space.size);
  let rest = index;
  for (const { from, gridSize, gridPoint } of space.groups.toReversed()) {
    const size = gridSize(levels);
    unit.set(gridPoint(levels, rest % size), from);
    rest /= size;
  }
  space.snap(unit);
  return unit;
}
