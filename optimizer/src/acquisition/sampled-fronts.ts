// Which base points are on the front in joint samples: with one objective, which are the best.

import { nonDominated } from "../objective/front.ts";
import type { ConditionalBelief } from "./conditional.ts";

/**
 * [base points] the share of samples in which a point counts and no other that counts dominates it. `beliefs` has one
 * entry for each objective.
 */
export function sharesOnFront(
  beliefs: readonly ConditionalBelief[],
  counts: (sample: number, base: number) => boolean,
): Float64Array {
  const { samples, values } = beliefs[0]!;
  const baseCount = values.length / samples;
  const shares = new Float64Array(baseCount);
  for (let m = 0; m < samples; m++) {
    const counting = [...shares.keys()].filter((b) => counts(m, b));
    const points = counting.map((b) => beliefs.map((belief) => belief.values[m * baseCount + b]!));
    for (const position of nonDominated(points)) shares[counting[position]!]! += 1 / samples;
  }
  return shares;
}
