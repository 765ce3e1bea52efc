// Several Gaussian processes on the same scores, weighted by evidence: smooth or rough (RBF, Matern-5/2), scores as
// they are or made normal (Yeo-Johnson). No single choice is right for every problem, and picking one by evidence
// throws away what is unsure; models that explain the data about as well are averaged.

import {
  conditionProcess,
  type GaussianProcess,
  meanPriorVariance,
  predictLatent,
  predictMeans,
  type TrainingData,
} from "./gp.ts";
import { fitMembers, kernels, type MemberRecord, type ModelRecord, refitAfter } from "./members.ts";
import {
  type Fence,
  type Score,
  type StandardisedScores,
  scoreFence,
  standardise,
  type WarpedTargets,
  warpTargets,
} from "./targets.ts";

export interface Member {
  readonly record: MemberRecord;
  readonly weight: number;
  readonly gp: GaussianProcess;
  readonly targets: WarpedTargets;
}

/** A belief about the true score at one point, without observation noise, in score units. */
export interface Prediction {
  readonly mean: number;
  readonly standardDeviation: number;
}

/** A score that is made of several metrics, each with beliefs of its own. */
export interface Composition {
  readonly parts: readonly Ensemble[];
  /** The score of one value for each part. */
  combine(values: readonly number[]): number;
}

export interface Ensemble {
  /** Heaviest first; weights sum to 1. */
  readonly members: readonly Member[];
  readonly record: ModelRecord;
  readonly scores: StandardisedScores;
  /** What predictions and joint samples are made of, where that is not the members. */
  readonly composition?: Composition;
  /** At unit coordinates. */
  predict(unit: Float64Array): Prediction;
}

/** The fit among those of one study. */
export interface Progress {
  /** The record of an earlier fit: while hardly anything is new it is used as it is, then it is where the fit starts. */
  readonly last: ModelRecord | undefined;
  /** Completed trials of the study; the observations at hand may be a part of them. */
  readonly trials: number;
  /** An earlier ensemble, whose factors are continued where they can be: saves time and changes no bit. */
  readonly previous: Ensemble | undefined;
}

/** How scores become targets. */
export interface TargetOptions {
  readonly fence: Fence;
  /** Are members on warped scores wanted? Without, all members have the same targets. */
  readonly mayWarp: boolean;
}

/** `points` [n] of unit coordinates with their `scores` [n], n >= 1. */
export function fitEnsemble(
  points: readonly Float64Array[],
  scores: readonly Score[],
  { last, trials, previous }: Progress,
  { fence, mayWarp }: TargetOptions = { fence: scoreFence, mayWarp: true },
): Ensemble {
  const standardised = standardise(scores, fence);
  const flat = Float64Array.from(points.flatMap((unit) => [...unit]));
  const dataOf = (targets: WarpedTargets): TrainingData => ({
    dimension: points[0]!.length,
    count: points.length,
    points: flat,
    targets: targets.targets,
    noiseVariances: targets.noiseVariances,
  });
  const isFresh = last !== undefined && trials - last.trials < refitAfter(trials);
  const record = isFresh ? last : { trials, members: fitMembers(standardised, dataOf, last, trials, mayWarp) };
  const members = record.members.map((member): Member => {
    const targets = warpTargets(standardised, member.power);
    const before = previous?.members.find(
      ({ record: { kernel, power } }) => kernel === member.kernel && power === member.power,
    );
    const theta = Float64Array.from(member.theta);
    const gp = conditionProcess(dataOf(targets), kernels[member.kernel], theta, meanPriorVariance, before?.gp);
    return { record: member, weight: member.weight, targets, gp };
  });
  return {
    members,
    record,
    scores: standardised,
    predict(unit) {
      const { mean, standardDeviation } = predictByAll(members, unit);
      const { offset, scale } = standardised;
      return { mean: offset + scale * mean, standardDeviation: scale * standardDeviation };
    },
  };
}

/**
 * What the members have as typical scores at the first `count` rows of `points` [count, d], in standardised scores: their
 * posterior means carried back, without regard to variances. Costs O(n d) a point, where a prediction costs O(n^2).
 */
export function typicalScores(members: readonly Member[], points: Float64Array, count: number): Float64Array {
  const scores = new Float64Array(count);
  for (const { gp, targets, weight } of members) {
    for (const [i, mean] of predictMeans(gp, points, count).entries()) scores[i]! += weight * targets.unwarp(mean);
  }
  return scores;
}

/** Gauss-Hermite nodes and weights for the expectation over a standard normal. */
const normalNodes = [-2.8569700138728056, -1.355626179974266, 0, 1.355626179974266, 2.8569700138728056];
const normalWeights = [0.011257411327720689, 0.22207592200561266, 8 / 15, 0.22207592200561266, 0.011257411327720689];

/** Moments, in standardised scores, of the mixture of the members' beliefs, each carried back through its transform. */
function predictByAll(members: readonly Member[], unit: Float64Array): Prediction {
  const beliefs = members.map((member) => ({ weight: member.weight, ...predictByOne(member, unit) }));
  const mean = beliefs.reduce((sum, belief) => sum + belief.weight * belief.mean, 0);
  const variance = beliefs.reduce((sum, b) => sum + b.weight * (b.standardDeviation ** 2 + (b.mean - mean) ** 2), 0);
  return { mean, standardDeviation: Math.sqrt(variance) };
}

function predictByOne({ gp, targets }: Member, unit: Float64Array): Prediction {
  const { mean, variance } = predictLatent(gp, unit);
  return momentsOf(targets, mean, Math.sqrt(variance));
}

/** Moments, in standardised scores, of a normal belief in targets. */
export function momentsOf(targets: WarpedTargets, latentMean: number, latentDeviation: number): Prediction {
  const scores = normalNodes.map((node) => targets.unwarp(latentMean + latentDeviation * node));
  const mean = scores.reduce((sum, score, k) => sum + normalWeights[k]! * score, 0);
  const variance = scores.reduce((sum, score, k) => sum + normalWeights[k]! * (score - mean) ** 2, 0);
  return { mean, standardDeviation: Math.sqrt(variance) };
}

/** Noise variance of an evaluation, in target units. */
export function noiseOf({ gp, targets }: Pick<Member, "gp" | "targets">): number {
  return gp.nugget + targets.noiseVariances.toSorted()[targets.noiseVariances.length >>> 1]!;
}
