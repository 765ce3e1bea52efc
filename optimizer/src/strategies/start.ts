// The structured start: what is tried before a model exists. For merge coefficients the uniform scale ("the same
// coefficient for every expert") explains most of the score, so that line comes first, then the centre of the space,
// then scrambled Sobol points for as long as they are wanted.

import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { Suggestion } from "./strategy.ts";

/** Positions on the uniform-scale line besides its middle, which is the centre of the space; most useful first. */
const linePositions = [0.3, 0.7, 0.4, 0.6, 0.2];

/** Default number of proposals before the model takes over, for `dimension` searched dimensions. */
export function defaultInitialTrials(dimension: number): number {
  return Math.max(5, Math.min(20, 2 * Math.ceil(dimension / 2) + 4));
}

/** The endless start sequence of a space; a pure function of (space, seed). */
export function* startPoints(space: Space, seed: number): Generator<Suggestion, never> {
  const snapped = (coordinates: Iterable<number>): Float64Array => {
    const unit = Float64Array.from(coordinates);
    space.snap(unit);
    return unit;
  };
  if (isScaleLine(space)) {
    const count = Math.max(2, Math.min(linePositions.length, Math.floor(defaultInitialTrials(space.size) / 3)));
    for (const position of linePositions.slice(0, count)) {
      yield { unit: snapped(space.centre.map(() => position)), origin: "line" };
    }
  }
  yield { unit: snapped(space.centre), origin: "centre" };
  return yield* sobolPoints(space, seed);
}

/** The endless sequence of scrambled Sobol points of a space, from point `first` on. */
export function* sobolPoints(space: Space, seed: number, first = 0): Generator<Suggestion, never> {
  const sobol = createSobol(space.size, createStream(seed, 0, purposes.start));
  for (let index = first; ; index++) {
    const unit = new Float64Array(space.size);
    sobol.point(index, unit);
    space.spread(unit);
    yield { unit, origin: "sobol" };
  }
}

/**
 * Equal values everywhere are the scale of one merge where 0 leaves every expert out, in all dimensions alike. On other
 * ranges they mean nothing in particular.
 */
function isScaleLine(space: Space): boolean {
  if (!space.hasSharedRange || space.size === 1) return false;
  const lowest = space.toValues(new Float64Array(space.size));
  const highest = space.toValues(new Float64Array(space.size).fill(1));
  return Object.entries(lowest).every(([name, value]) => value === 0 || value === highest[name]);
}
