// The structured start: what is tried before a model exists. For merge coefficients the uniform scale ("the same
// coefficient for every expert") explains most of the score, so that line comes first, then the centre of the space,
// then scrambled Sobol points for as long as they are wanted.

import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { Origin } from "../study/events.ts";

export interface StartPoint {
  readonly unit: Float64Array;
  readonly origin: Origin;
}

/** Positions on the uniform-scale line besides its middle, which is the centre of the space. */
const linePositions = [0.3, 0.7];

/** Default number of proposals before the model takes over, for `dimension` searched dimensions. */
export function defaultInitialTrials(dimension: number): number {
  return Math.max(5, Math.min(20, 2 * Math.ceil(dimension / 2) + 4));
}

/** The endless start sequence of a space; a pure function of (space, seed). */
export function* startPoints(space: Space, seed: number): Generator<StartPoint, never> {
  const snapped = (coordinates: Iterable<number>): Float64Array => {
    const unit = Float64Array.from(coordinates);
    space.snap(unit);
    return unit;
  };
  if (space.hasSharedRange && space.size > 1) {
    for (const position of linePositions) {
      yield { unit: snapped(space.centre.map(() => position)), origin: "line" };
    }
  }
  yield { unit: snapped(space.centre), origin: "centre" };
  const sobol = createSobol(space.size, createStream(seed, 0, purposes.start));
  for (let index = 0; ; index++) {
    const unit = new Float64Array(space.size);
    sobol.point(index, unit);
    space.spread(unit);
    yield { unit, origin: "sobol" };
  }
}
