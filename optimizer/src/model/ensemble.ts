// Several Gaussian processes on the same scores, weighted by evidence: smooth or rough (RBF, Matern-5/2), scores as
// they are or made normal (Yeo-Johnson). No single choice is right for every problem, and picking one by evidence
// throws away what is unsure; models that explain the data about as well are averaged.

import { fitProcess } from "./fit.ts";
import { conditionProcess, type GaussianProcess, predictLatent, type TrainingData } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { matern52 } from "./kernels/matern52.ts";
import { rbf } from "./kernels/rbf.ts";
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
  /** Completed trials it was fitted to. */
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

/**
 * `points` [n] of unit coordinates with their `scores` [n], n >= 1. `last` is the record of an earlier fit of the same
 * study: with as many trials it is used as it is, with fewer it is where the fit starts.
 */
export function fitEnsemble(
  points: readonly Float64Array[],
  scores: readonly Score[],
  last: ModelRecord | undefined,
): Ensemble {
  const standardised = standardise(scores);
  const dataOf = (targets: WarpedTargets): TrainingData => ({
    dimension: points[0]!.length,
    count: points.length,
    points: Float64Array.from(points.flatMap((unit) => [...unit])),
    targets: targets.targets,
    noiseVariances: targets.noiseVariances,
  });
  const members =
    last?.trials === points.length
      ? last.members.map((record): Member => {
          const targets = warpTargets(standardised, record.power);
          const theta = Float64Array.from(record.theta);
          return {
            record,
            weight: record.weight,
            targets,
            gp: conditionProcess(dataOf(targets), kernels[record.kernel], theta),
          };
        })
      : fitMembers(standardised, dataOf, last);
  return {
    members,
    record: { trials: points.length, members: members.map((member) => member.record) },
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
): Member[] {
  const count = scores.targets.length;
  const isSelecting = last === undefined || isMilestoneBetween(last.trials, count);
  const isVaried = scores.targets.some((target) => target !== scores.targets[0]);
  const power = count >= leastScoresToWarp && isVaried ? normalisingPower(scores.targets) : 1;
  const variants = power === 1 ? [1] : [1, power];
  const before = (kernel: KernelName, isWarped: boolean): MemberRecord | undefined =>
    last?.members.find((record) => record.kernel === kernel && (record.power !== 1) === isWarped);
  const fits = (["matern52", "rbf"] as const).flatMap((kernel) =>
    variants.flatMap((variant) => {
      const earlier = before(kernel, variant !== 1);
      if (!isSelecting && earlier === undefined) return [];
      const targets = warpTargets(scores, variant);
      const { gp, logEvidence } = fitProcess(dataOf(targets), kernels[kernel], {
        isNoiseKnown: scores.isNoiseKnown,
        warmStart: earlier && Float64Array.from(earlier.theta),
        isThorough: isSelecting,
      });
      return [{ kernel, targets, gp, logEvidence: logEvidence + targets.logJacobian }];
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
  return kept.map((fit) => {
    const { kernel, targets, gp } = fit;
    const weight = share(fit);
    return { record: { kernel, power: targets.power, weight, theta: [...gp.theta] }, weight, gp, targets };
  });
}

/**
 * Several starts cost several fits: always while there are few trials, then each time the trials have grown by an
 * eighth; in between the fit continues from where the last one ended, with the members of then.
 */
function isMilestoneBetween(before: number, now: number): boolean {
  let milestone = 16;
  while (milestone <= before) milestone += Math.floor(milestone / 8);
  return now <= 16 || milestone <= now;
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
