// How much each dimension matters: total-effect Sobol indices over the whole space (Jansen's estimator on scrambled
// Sobol points; Saltelli et al. 2010), of functions drawn from the posterior rather than of its mean, so that what has
// not been explored shows as a wide interval and not as nothing.

import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import { samplePosterior } from "./posterior.ts";

export interface Importance {
  /** Expected share of the score's variation that this dimension causes, alone or with others; shares sum to 1. */
  readonly share: number;
  /** Central 95 % credible interval of the share. */
  readonly credibleInterval: readonly [low: number, high: number];
}

export const unimportant: Importance = { share: 0, credibleInterval: [0, 0] };

const pointCount = 64;
const drawCount = 128;

/** Of each of the space's groups; all 0 when every drawn function is flat. */
export function importanceOf(model: Model, space: Space, seed: number): Importance[] {
  const { size, groups } = space;
  const sobol = createSobol(2 * size, createStream(seed, model.trials.length, purposes.importance));
  const pairs = Array.from({ length: pointCount }, (_, index) => {
    const pair = new Float64Array(2 * size);
    sobol.point(index, pair);
    const [x, other] = [pair.slice(0, size), pair.slice(size)];
    space.spread(x);
    space.spread(other);
    return { x, other };
  });
  const points = pairs.map(({ x }) => x);
  // [groups, draws] half the mean squared change, of every draw, when the group alone is drawn anew.
  const effects = groups.map(({ from, to }) => {
    const changed = pairs.map(({ x, other }) => {
      const unit = x.slice();
      unit.set(other.subarray(from, to), from);
      return unit;
    });
    // The same stream for each group: a draw is then nearly the same function everywhere.
    const stream = createStream(seed, model.trials.length, purposes.functionDraws);
    return meanSquaredChanges(samplePosterior(model, [...points, ...changed], drawCount, stream));
  });
  const shares = effects.map((effect) =>
    effect.map((value, draw) => {
      const total = effects.reduce((sum, other) => sum + other[draw]!, 0);
      return total > 0 ? value / total : 0;
    }),
  );
  return shares.map((share) => {
    const sorted = share.toSorted();
    return {
      share: share.reduce((sum, one) => sum + one / drawCount, 0),
      credibleInterval: [sorted[Math.floor(0.025 * drawCount)]!, sorted[Math.floor(0.975 * drawCount)]!],
    };
  });
}

/** [draws] of `scores` [draws, 2 pointCount]: the points, then each changed. */
function meanSquaredChanges(scores: Float64Array): Float64Array {
  return Float64Array.from({ length: drawCount }, (_, draw) => {
    const start = 2 * pointCount * draw;
    let sum = 0;
    for (let k = start; k < start + pointCount; k++) sum += (scores[k + pointCount]! - scores[k]!) ** 2;
    return sum / (2 * pointCount);
  });
}
