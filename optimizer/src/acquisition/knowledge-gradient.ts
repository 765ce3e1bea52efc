// What one more noisy evaluation is worth to the final recommendation: the expected rise of the largest posterior mean
// among the rivals and the point itself (Frazier, Powell, Dayanik, "The knowledge-gradient policy for correlated
// normal beliefs", INFORMS Journal on Computing 21(4), 2009). Unlike expected improvement it knows that the evaluation
// will be noisy, that evaluating a rival again can be worth more than a new point, and that a point which will never be
// best can tell rivals apart: under much noise far points tell more than near ones.

import { conditionProcess, covariancesWithFirst, type GaussianProcess, predictMeans } from "../model/gp.ts";
import { normalQuantile } from "../numerics/normal.ts";

export interface KnowledgeGradientInput {
  readonly gp: GaussianProcess;
  /** Points that may be best, evaluated or not; at least one. */
  readonly rivals: readonly Float64Array[];
  /** In flight: what they will tell is not known, but it will be. */
  readonly pending: readonly Float64Array[];
  /** Noise variance of an evaluation, the nugget included, in target units. */
  readonly noiseVariance: number;
}

/** Equally likely values of a standard normal; expectations are means over them. */
const nodeCount = 32;
const nodes = Float64Array.from({ length: nodeCount }, (_, k) => normalQuantile((k + 0.5) / nodeCount));

/** Expected rise at each of `candidates`, >= 0, in target units. */
export function knowledgeGradients(input: KnowledgeGradientInput, candidates: readonly Float64Array[]): number[] {
  const { rivals, noiseVariance } = input;
  const gp = believe(input);
  const points = Float64Array.from([...rivals, ...candidates].flatMap((x) => [...x]));
  const count = rivals.length + candidates.length;
  const means = predictMeans(gp, points, count);
  const { covariances, variances } = covariancesWithFirst(gp, points, count, rivals.length);
  const best = means.subarray(0, rivals.length).reduce((most, mean) => Math.max(most, mean));
  return candidates.map((_, index) => {
    const at = rivals.length + index;
    const deviation = Math.sqrt(variances[at]! + noiseVariance);
    if (!(deviation > 0)) return 0;
    let sum = 0;
    for (const node of nodes) {
      const shift = node / deviation;
      let largest = means[at]! + variances[at]! * shift;
      for (let a = 0; a < rivals.length; a++) {
        const mean = means[a]! + covariances[at * rivals.length + a]! * shift;
        if (mean > largest) largest = mean;
      }
      sum += largest - best;
    }
    return Math.max(sum / nodeCount, 0);
  });
}

/** The process as if the pending trials had told what it expects: all means stay, variances shrink. */
function believe({ gp, pending, noiseVariance }: KnowledgeGradientInput): GaussianProcess {
  if (pending.length === 0) return gp;
  const { data, kernel, theta, nugget } = gp;
  const added = Float64Array.from(pending.flatMap((x) => [...x]));
  const noise = Math.max(noiseVariance - nugget, 0);
  const extended = {
    dimension: data.dimension,
    count: data.count + pending.length,
    points: Float64Array.from([...data.points, ...added]),
    targets: Float64Array.from([...data.targets, ...predictMeans(gp, added, pending.length)]),
    noiseVariances: Float64Array.from([...data.noiseVariances, ...pending.map(() => noise)]),
  };
  return conditionProcess(extended, kernel, theta, undefined, gp);
}
