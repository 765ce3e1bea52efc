// Expected hypervolume improvement given a joint sample at the base points: the volume that a trial at x adds to what
// that sample's front dominates (Daulton, Balandat, Bakshy, "Parallel Bayesian optimization of multiple noisy
// objectives with expected hypervolume improvement", NeurIPS 2021). Given the sample the objectives at x are
// independent normals, so it is a sum over the boxes of the non-dominated region of products over the objectives: no
// sampling at x. In logarithms (Ament et al., NeurIPS 2023).

import { type BoxDecomposition, decompose } from "../objective/boxes.ts";
import type { ConditionalBelief } from "./conditional.ts";
import type { Factor } from "./expected-product.ts";
import { logImprovement } from "./log-improvement.ts";
import { type IntervalEnd, logReached } from "./log-interval.ts";

/**
 * `beliefs`, one for each objective, have the same base points and samples; `reference` is in their targets.
 * `counts(sample, base point)` says whether the point can be on that sample's front.
 */
export function hypervolumeFactor(
  beliefs: readonly ConditionalBelief[],
  reference: readonly number[],
  counts: (sample: number, base: number) => boolean,
): Factor {
  const given = Array.from({ length: beliefs[0]!.samples }, (_, m) =>
    createVolumeAdded(decompose(frontOf(beliefs, m, counts), reference), beliefs, m),
  );
  return { beliefs, logGiven: (m, byMean, byDeviation) => given[m]!(byMean, byDeviation) };
}

/** [count, objectives] sampled values of the base points that count. */
function frontOf(
  beliefs: readonly ConditionalBelief[],
  sample: number,
  counts: (sample: number, base: number) => boolean,
): Float64Array {
  const baseCount = beliefs[0]!.values.length / beliefs[0]!.samples;
  const front: number[] = [];
  for (let b = 0; b < baseCount; b++) {
    if (counts(sample, b)) for (const { values } of beliefs) front.push(values[sample * baseCount + b]!);
  }
  return Float64Array.from(front);
}

/** The sides of the boxes along one objective; many boxes share a side, whose factor is computed once. */
interface Sides {
  /** Values where sides begin or end, the last one infinite, and what is known of each. */
  readonly boundaries: Float64Array;
  readonly ends: { -readonly [K in keyof IntervalEnd]: IntervalEnd[K] }[];
  /** [sides] positions of their ends in `boundaries`. */
  readonly low: Uint16Array;
  readonly high: Uint16Array;
  /** [boxes] which side is theirs. */
  readonly ofBox: Uint16Array;
  /** [sides] logarithms of the expected lengths in deviations, and the derivatives. */
  readonly logs: Float64Array;
  readonly byMean: Float64Array;
  readonly byDeviation: Float64Array;
}

function sidesAlong(j: number, { objectives, boxes, boundaries, lower, upper }: BoxDecomposition): Sides {
  const own = boundaries[j]!;
  const numbers = new Map<number, number>();
  const ofBox = Uint16Array.from({ length: boxes }, (_, b) => {
    const side = lower[b * objectives + j]! * own.length + upper[b * objectives + j]!;
    if (!numbers.has(side)) numbers.set(side, numbers.size);
    return numbers.get(side)!;
  });
  const sides = [...numbers.keys()];
  const unknown = { u: Number.NEGATIVE_INFINITY, logValue: Number.NEGATIVE_INFINITY };
  return {
    boundaries: own,
    ends: Array.from(own, () => ({ ...unknown, distributionRatio: 0, densityRatio: 0 })),
    low: Uint16Array.from(sides, (side) => Math.floor(side / own.length)),
    high: Uint16Array.from(sides, (side) => side % own.length),
    ofBox,
    logs: new Float64Array(sides.length),
    byMean: new Float64Array(sides.length),
    byDeviation: new Float64Array(sides.length),
  };
}

/** `Factor.logGiven` for one sample. */
function createVolumeAdded(
  decomposition: BoxDecomposition,
  beliefs: readonly ConditionalBelief[],
  m: number,
): (byMean: readonly Float64Array[], byDeviation: readonly Float64Array[]) => number {
  const { objectives, boxes } = decomposition;
  const all = Array.from({ length: objectives }, (_, j) => sidesAlong(j, decomposition));
  const shares = new Float64Array(boxes);

  return (byMean, byDeviation) => {
    let logUnit = 0;
    shares.fill(0);
    for (let j = 0; j < objectives; j++) {
      const deviation = beliefs[j]!.deviations[m]!;
      logUnit += Math.log(deviation);
      measure(all[j]!, beliefs[j]!.means[m]!, deviation);
      const { logs, ofBox } = all[j]!;
      for (let b = 0; b < boxes; b++) shares[b]! += logs[ofBox[b]!]!;
    }
    let largest = Number.NEGATIVE_INFINITY;
    for (let b = 0; b < boxes; b++) largest = Math.max(largest, shares[b]!);
    let sum = 0;
    for (let b = 0; b < boxes; b++) {
      shares[b] = Math.exp(shares[b]! - largest);
      sum += shares[b]!;
    }
    for (let j = 0; j < objectives; j++) {
      const side = all[j]!;
      let mean = 0;
      let deviation = 0;
      for (let b = 0; b < boxes; b++) {
        mean += shares[b]! * side.byMean[side.ofBox[b]!]!;
        deviation += shares[b]! * side.byDeviation[side.ofBox[b]!]!;
      }
      byMean[j]![m] = mean / sum;
      byDeviation[j]![m] = deviation / sum;
    }
    return largest + Math.log(sum) + logUnit;
  };
}

/** Expected lengths of all sides for a normal with these moments. */
function measure({ boundaries, ends, low, high, logs, byMean, byDeviation }: Sides, mean: number, deviation: number) {
  for (let k = 0; k < boundaries.length - 1; k++) {
    const end = ends[k]!;
    end.u = (mean - boundaries[k]!) / deviation;
    end.logValue = logImprovement(end.u, ratios);
    end.distributionRatio = ratios[0]!;
    end.densityRatio = ratios[1]!;
  }
  for (let side = 0; side < low.length; side++) {
    logs[side] = logReached(ends[low[side]!]!, ends[high[side]!]!, ratios);
    byMean[side] = ratios[0]! / deviation;
    byDeviation[side] = ratios[1]! / deviation;
  }
}

const ratios = new Float64Array(2);
