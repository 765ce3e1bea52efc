// Where trials fail: the log probability that a point can be evaluated, from a Gaussian process on outcomes (+1 told,
// -1 failed) read through the normal distribution. Least-squares classification (Rasmussen and Williams 2006, section
// 6.5): no probit inference, which a handful of failures would not repay. Failed trials have no other effect.

import { solveLower, solveLowerTransposed } from "../numerics/linalg.ts";
import { logNormalDistribution, normalHazard } from "../numerics/normal.ts";
import { conditionProcess, type GaussianProcess, squaredDistance } from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";

/** log P(success) at x [d]; adds its gradient [d] to `gradient` when given. */
export type LogFeasibility = (x: Float64Array, gradient?: Float64Array) => number;

/** Outcome noise: neighbours may differ without the process bending to each of them. */
const outcomeNoise = 0.01;

/** Without failures every point is feasible and the answer is 0. */
export function createLogFeasibility(
  dimension: number,
  succeeded: readonly Float64Array[],
  failed: readonly Float64Array[],
): LogFeasibility {
  if (failed.length === 0) return () => 0;
  const all = [...succeeded, ...failed];
  // Prior mean +1, so that unknown regions are worth a try: targets are outcomes minus 1.
  const gp = conditionProcess(
    {
      dimension,
      count: all.length,
      points: Float64Array.from(all.flatMap((unit) => [...unit])),
      targets: Float64Array.from(all, (_, i) => (i < succeeded.length ? 0 : -2)),
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
  return (x, gradient) => evaluate(gp, x, gradient);
}

function evaluate(gp: GaussianProcess, x: Float64Array, gradient: Float64Array | undefined): number {
  const { count, points, dimension: d } = gp.data;
  const v = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    v[i] = gp.kernel.correlation(squaredDistance(x, 0, points, i * d, gp.inverseSquaredLengths));
  }
  solveLower(gp.factor, count, v);
  let mean = 1;
  let variance = 1 + outcomeNoise;
  for (let i = 0; i < count; i++) {
    mean += v[i]! * gp.whitened[i]!;
    variance -= v[i]! * v[i]!;
  }
  const deviation = Math.sqrt(variance);
  const z = mean / deviation;
  if (gradient !== undefined) {
    const byZ = normalHazard(z);
    // d z = d mean / deviation + z v . d v / variance
    const adjoint = v.map((element, i) => byZ * (gp.whitened[i]! / deviation + (z * element) / variance));
    solveLowerTransposed(gp.factor, count, adjoint);
    for (let i = 0; i < count; i++) {
      const r2 = squaredDistance(x, 0, points, i * d, gp.inverseSquaredLengths);
      const slope = 2 * adjoint[i]! * gp.kernel.derivative(r2);
      for (let k = 0; k < d; k++) gradient[k]! += slope * (x[k]! - points[i * d + k]!) * gp.inverseSquaredLengths[k]!;
    }
  }
  return logNormalDistribution(z);
}
