// Where trials fail: the log probability that a point can be evaluated, from a Gaussian process on outcomes (+1 told,
// -1 failed) read through the normal distribution. Least-squares classification (Rasmussen and Williams 2006, section
// 6.5): no probit inference, which a handful of failures would not repay. Failed trials have no other effect.

import { addWeightedDifferences, squaredDistances } from "../numerics/distances.ts";
import { logNormalDistribution, normalHazard } from "../numerics/normal.ts";
import { solveLower, solveLowerTransposed } from "../numerics/substitution.ts";
import { conditionProcess, type GaussianProcess, scalePoints } from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";
import { type Quota, representativeRows } from "./subset.ts";

/**
 * Adds log P(success) at each of the `count` rows of `points` [count, d] to `values` [count], and its gradients to
 * `gradients` [count, d] when given.
 */
export type LogFeasibility = (
  points: Float64Array,
  count: number,
  values: Float64Array,
  gradients?: Float64Array,
) => void;

/** Outcome noise: neighbours may differ without the process bending to each of them. */
const outcomeNoise = 0.01;
/** Points of either outcome that are looked at, so that time stays bounded. */
const pointsQuota: Quota = { best: 0, near: 0, latest: 50, spread: 150 };

/** Without failures every point is feasible and nothing is added. */
export function createLogFeasibility(
  dimension: number,
  succeeded: readonly Float64Array[],
  failed: readonly Float64Array[],
): LogFeasibility {
  if (failed.length === 0) return () => {};
  const [told, lost] = [succeeded, failed].map((units) => scatteredOf(units, dimension));
  const all = [...told!, ...lost!];
  // Prior mean +1, so that unknown regions are worth a try: targets are outcomes minus 1.
  const gp = conditionProcess(
    {
      dimension,
      count: all.length,
      points: Float64Array.from(all.flatMap((unit) => [...unit])),
      targets: Float64Array.from(all, (_, i) => (i < told!.length ? 0 : -2)),
      noiseVariances: new Float64Array(all.length),
    },
    matern52,
    // The mode of the length-scale prior: where trials fail need not look like where they score.
    Float64Array.from({ length: dimension + 2 }, (_, k) => {
      if (k < dimension) return Math.SQRT2 - 3 + 0.5 * Math.log(dimension);
      return k === dimension ? 0 : Math.log(outcomeNoise);
    }),
    0,
  );
  return (points, count, values, gradients) => addLogProbability(gp, points, count, values, gradients);
}

/** So many of the points that no two are needlessly close, and the latest. */
function scatteredOf(units: readonly Float64Array[], dimension: number): Float64Array[] {
  const points = Float64Array.from(units.flatMap((unit) => [...unit]));
  const rows = representativeRows(points, dimension, new Float64Array(units.length), pointsQuota);
  return Array.from(rows, (row) => units[row]!);
}

function addLogProbability(
  gp: GaussianProcess,
  points: Float64Array,
  rows: number,
  values: Float64Array,
  gradients: Float64Array | undefined,
): void {
  const { count: n, dimension: d } = gp.data;
  const scaled = scalePoints(points, rows, gp.inverseLengths);
  const v = new Float64Array(rows * n);
  const slopes = gradients && new Float64Array(rows * n);
  for (let r = 0; r < rows; r++) squaredDistances(scaled, r * d, gp.scaledPoints, n, d, v, r * n);
  gp.kernel.correlate(v, rows * n, slopes);
  solveLower(gp.factor, n, v, rows);
  for (let r = 0; r < rows; r++) {
    let mean = 1;
    let variance = 1 + outcomeNoise;
    for (let i = 0; i < n; i++) {
      mean += v[r * n + i]! * gp.whitened[i]!;
      variance -= v[r * n + i]! ** 2;
    }
    const deviation = Math.sqrt(variance);
    const z = mean / deviation;
    values[r]! += logNormalDistribution(z);
    if (gradients === undefined) continue;
    const byZ = normalHazard(z);
    // d z = d mean / deviation + z v . d v / variance
    for (let i = 0; i < n; i++) {
      v[r * n + i] = byZ * (gp.whitened[i]! / deviation + (z * v[r * n + i]!) / variance);
    }
  }
  if (gradients === undefined || slopes === undefined) return;
  solveLowerTransposed(gp.factor, n, v, rows);
  for (let i = 0; i < v.length; i++) v[i]! *= 2 * slopes[i]!;
  const gradient = new Float64Array(d);
  for (let r = 0; r < rows; r++) {
    gradient.fill(0);
    addWeightedDifferences(scaled, r * d, gp.scaledPoints, n, d, v, r * n, gradient, 0);
    for (let k = 0; k < d; k++) gradients[r * d + k]! += gradient[k]! * gp.inverseLengths[k]!;
  }
}
