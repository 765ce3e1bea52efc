// Several Gaussian processes on the same scores, weighted by evidence: smooth or rough (RBF, Matern-5/2), scores as
// they are or made normal (Yeo-Johnson). No single choice is right for every problem, and picking one by evidence
// throws away what is unsure; models that explain the data about as well are averaged.

import { fitTheta } from "./fit.ts";
import { conditionProcess, type GaussianProcess, meanPriorVariance, predictLatent, type TrainingData } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { matern52 } from "./kernels/matern52.ts";
import { rbf } from "./kernels/rbf.ts";
import { type Quota, representativeRows } from "./subset.ts";
import { type Score, type StandardisedScores, standardise, type WarpedTargets, warpTargets } from "./targets.ts";
import { normalisingPower } from "./warp.ts";

type KernelName = "matern52" | "rbf";
const kernels: Readonly<Record<KernelName, Kernel>> = { matern52, rbf };

/** A member as plain JSON: enough to condition it on the same data again without fitting. */
export interface MemberRecord {
  readonly kernel: KernelName;
  /** Power of the Yeo-Johnson transform; 1 is none. */
  readonly power: number;
  /** Posterior probability among the members. */
  readonly weight: number;
  /** [log length scales, log signal variance, log nugget] */
  readonly theta: readonly number[];
}

/** What the ensemble was when it proposed. Recorded so that a replay need not refit. */
export interface ModelRecord {
  /** Completed trials when its members were fitted. */
  readonly trials: number;
  /** Heaviest first. */
  readonly members: readonly MemberRecord[];
}

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

export interface Ensemble {
  /** Heaviest first; weights sum to 1. */
  readonly members: readonly Member[];
  readonly record: ModelRecord;
  /** At unit coordinates. */
  predict(unit: Float64Array): Prediction;
}

/** Members that explain the data this much worse than the best are left out. */
const leastWeight = 0.05;
/** A power cannot be told from fewer scores. */
const leastScoresToWarp = 16;

/** Fits take the time of these at most; beyond, hyper-parameters hardly change with more. */
const fittingQuota: Quota = { best: 75, near: 0, latest: 75, spread: 100 };

/** The fit among those of one study. */
export interface Progress {
  /** The record of an earlier fit: while hardly anything is new it is used as it is, then it is where the fit starts. */
  readonly last: ModelRecord | undefined;
  /** Completed trials of the study; the observations at hand may be a part of them. */
  readonly trials: number;
  /** An earlier ensemble, whose factors are continued where they can be: saves time and changes no bit. */
  readonly previous: Ensemble | undefined;
}

/** `points` [n] of unit coordinates with their `scores` [n], n >= 1. */
export function fitEnsemble(
  points: readonly Float64Array[],
  scores: readonly Score[],
  { last, trials, previous }: Progress,
): Ensemble {
  const standardised = standardise(scores);
  const dataOf = (targets: WarpedTargets): TrainingData => ({
    dimension: points[0]!.length,
    count: points.length,
    points: Float64Array.from(points.flatMap((unit) => [...unit])),
    targets: targets.targets,
    noiseVariances: targets.noiseVariances,
  });
  const isFresh = last !== undefined && trials - last.trials < refitAfter(trials);
  const record = isFresh ? last : { trials, members: fitMembers(standardised, dataOf, last, trials) };
  const members = record.members.map((member): Member => {
    const targets = warpTargets(standardised, member.power);
    const before = previous?.members.find(({ record: { kernel } }) => kernel === member.kernel)?.gp;
    const theta = Float64Array.from(member.theta);
    const gp = conditionProcess(dataOf(targets), kernels[member.kernel], theta, meanPriorVariance, before);
    return { record: member, weight: member.weight, targets, gp };
  });
  return {
    members,
    record,
    predict(unit) {
      const { mean, standardDeviation } = predictByAll(members, unit);
      const { offset, scale } = standardised;
      return { mean: offset + scale * mean, standardDeviation: scale * standardDeviation };
    },
  };
}

function fitMembers(
  scores: StandardisedScores,
  dataOf: (targets: WarpedTargets) => TrainingData,
  last: ModelRecord | undefined,
  trials: number,
): MemberRecord[] {
  const count = scores.targets.length;
  const milestone = milestoneBetween(last?.trials ?? 0, trials);
  const isSelecting = milestone !== undefined;
  const isVaried = scores.targets.some((target) => target !== scores.targets[0]);
  const power = count >= leastScoresToWarp && isVaried ? normalisingPower(scores.targets) : 1;
  const variants = power === 1 ? [1] : [1, power];
  const before = (kernel: KernelName, isWarped: boolean): MemberRecord | undefined =>
    last?.members.find((record) => record.kernel === kernel && (record.power !== 1) === isWarped);
  const { dimension, points } = dataOf(warpTargets(scores, 1));
  const rows = representativeRows(points, dimension, scores.targets, fittingQuota);
  const fits = (["matern52", "rbf"] as const).flatMap((kernel, k) =>
    variants.flatMap((variant, v) => {
      const earlier = before(kernel, variant !== 1);
      if (!isSelecting && earlier === undefined) return [];
      const targets = warpTargets(scores, variant);
      const { theta, logEvidence } = fitTheta(dataOf(targets), kernels[kernel], {
        isNoiseKnown: scores.isNoiseKnown,
        warmStart: earlier && Float64Array.from(earlier.theta),
        isThorough: isSelecting && (trials <= cheapTrials || (milestone - 2 * k - v) % 4 === 0),
        rows,
      });
      const logJacobian = rows.reduce((sum, row) => sum + targets.logSlopes[row]!, 0);
      return [{ kernel, power: variant, theta, logEvidence: logEvidence + logJacobian }];
    }),
  );
  const largest = Math.max(...fits.map((fit) => fit.logEvidence));
  const weightOf = (kept: typeof fits) => {
    const total = kept.reduce((sum, fit) => sum + Math.exp(fit.logEvidence - largest), 0);
    return (fit: (typeof fits)[number]): number => Math.exp(fit.logEvidence - largest) / total;
  };
  const shareOfAll = weightOf(fits);
  const kept = fits.filter((fit) => shareOfAll(fit) > leastWeight).toSorted((a, b) => b.logEvidence - a.logEvidence);
  const share = weightOf(kept);
  return kept.map((fit) => ({ kernel: fit.kernel, power: fit.power, weight: share(fit), theta: [...fit.theta] }));
}

/** New trials that hyper-parameters wait for. */
function refitAfter(trials: number): number {
  return Math.max(1, Math.floor(trials / 32));
}

/** So few trials are fitted thoroughly at no cost. */
const cheapTrials = 32;

/**
 * The number of the last milestone up to `now`, when it lies after `before`. Several starts cost several fits: always
 * while there are very few trials, then each time they have grown by an eighth all members are compared, and, one
 * member at a milestone once fits take time, fitted from several starts; in between the fit continues from where the
 * last one ended, with the members of then.
 */
function milestoneBetween(before: number, now: number): number | undefined {
  if (now <= 16) return now;
  let number = 16;
  let last = 16;
  for (let next = last; next <= now; next += Math.floor(next / 8)) {
    last = next;
    number++;
  }
  return last > before ? number : undefined;
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
  const latent = predictLatent(gp, unit);
  const deviation = Math.sqrt(latent.variance);
  const scores = normalNodes.map((node) => targets.unwarp(latent.mean + deviation * node));
  const mean = scores.reduce((sum, score, k) => sum + normalWeights[k]! * score, 0);
  const variance = scores.reduce((sum, score, k) => sum + normalWeights[k]! * (score - mean) ** 2, 0);
  return { mean, standardDeviation: Math.sqrt(variance) };
}
