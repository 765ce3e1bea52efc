// Which processes make the ensemble, and with which hyper-parameters: all variants are fitted roughly to few
// observations, those worth it to more, and those that then explain the data are kept. What is fitted, how often and
// to how many observations depends on the number of trials, so that the time of a fit is bounded.

import { type Fit, finishTheta, searchTheta } from "./fit.ts";
import type { Theta, TrainingData } from "./gp.ts";
import type { Kernel } from "./kernels/kernel.ts";
import { matern52 } from "./kernels/matern52.ts";
import { rbf } from "./kernels/rbf.ts";
import { observationsAt, type Quota, representativeRows } from "./subset.ts";
import { type StandardisedScores, type WarpedTargets, warpTargets } from "./targets.ts";
import { normalisingPower } from "./warp.ts";

type KernelName = "matern52" | "rbf";
export const kernels: Readonly<Record<KernelName, Kernel>> = { matern52, rbf };

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

/** Members that explain the data this much worse than the best are left out; roughly, before their fit is finished. */
const leastWeight = 0.05;
const leastRoughWeight = 0.005;
/** A power cannot be told from fewer scores. */
const leastScoresToWarp = 16;
/** So few trials are fitted thoroughly at no cost. */
const cheapTrials = 32;

/** Observations a fit is finished with, at most: beyond, hyper-parameters hardly change; and those of a rough fit. */
const finishingQuota: Quota = { best: 75, near: 0, latest: 75, spread: 100 };
const roughQuota: Quota = { best: 20, near: 0, latest: 20, spread: 24 };

/** A kind of process on the scores. */
interface Variant {
  readonly kernel: KernelName;
  readonly power: number;
}

interface VariantFit extends Fit {
  readonly variant: Variant;
}

/** New trials that hyper-parameters wait for. */
export function refitAfter(trials: number): number {
  return Math.max(1, Math.floor(trials / 32));
}

/**
 * Fits to `scores` [n]; `dataOf` puts targets [n] beside their points. `last` is where the fit starts; `trials` is how
 * many completed trials the study has, of which the n may be a part; without `mayWarp` all powers are 1.
 */
export function fitMembers(
  scores: StandardisedScores,
  dataOf: (targets: WarpedTargets) => TrainingData,
  last: ModelRecord | undefined,
  trials: number,
  mayWarp: boolean,
): MemberRecord[] {
  const { isNoiseKnown } = scores;
  const { dimension, points } = dataOf(warpTargets(scores, 1));
  const thetaOf = (variant: Variant): Theta | undefined => {
    const isSame = (record: MemberRecord): boolean =>
      record.kernel === variant.kernel && (record.power !== 1) === (variant.power !== 1);
    const earlier = last?.members.find(isSame);
    return earlier && Float64Array.from(earlier.theta);
  };
  /** Fits to the observations of a quota, with evidences that compare across variants. */
  const fitsTo = (quota: Quota, fitTheta: (data: TrainingData, kernel: Kernel, variant: Variant) => Fit) => {
    const rows = representativeRows(points, dimension, scores.targets, quota);
    return (variant: Variant): VariantFit => {
      const targets = warpTargets(scores, variant.power);
      const { theta, logEvidence } = fitTheta(observationsAt(dataOf(targets), rows), kernels[variant.kernel], variant);
      const logJacobian = rows.reduce((sum, row) => sum + targets.logSlopes[row]!, 0);
      return { variant, theta, logEvidence: logEvidence + logJacobian };
    };
  };

  const variants = variantsFor(scores, mayWarp);
  let starts = new Map(variants.map((variant) => [variant, thetaOf(variant)]));
  const milestone = milestoneBetween(last?.trials ?? 0, trials);
  const isSelecting = milestone !== undefined || [...starts.values()].every((start) => start === undefined);
  if (isSelecting) {
    const search = fitsTo(roughQuota, (data, kernel, variant) =>
      searchTheta(data, kernel, {
        isNoiseKnown,
        warmStart: starts.get(variant),
        isThorough: trials <= cheapTrials || ((milestone ?? 0) - variants.indexOf(variant)) % variants.length === 0,
      }),
    );
    starts = new Map(heavierThan(leastRoughWeight, variants.map(search)).map(({ variant, theta }) => [variant, theta]));
  }
  const finish = fitsTo(finishingQuota, (data, kernel, variant) =>
    finishTheta(data, kernel, { isNoiseKnown, warmStart: starts.get(variant) }),
  );
  const finished = variants.filter((variant) => starts.get(variant) !== undefined).map(finish);
  const kept = heavierThan(leastWeight, finished).toSorted((a, b) => b.logEvidence - a.logEvidence);
  const shares = sharesOf(kept);
  return kept.map(({ variant, theta }, index) => ({ ...variant, weight: shares[index]!, theta: [...theta] }));
}

function variantsFor({ targets }: StandardisedScores, mayWarp: boolean): Variant[] {
  const isVaried = targets.some((target) => target !== targets[0]);
  const power = mayWarp && targets.length >= leastScoresToWarp && isVaried ? normalisingPower(targets) : 1;
  const powers = power === 1 ? [1] : [1, power];
  return (["matern52", "rbf"] as const).flatMap((kernel) => powers.map((one) => ({ kernel, power: one })));
}

/** Posterior probabilities of the fits, if it is one of them. */
function sharesOf(fits: readonly Fit[]): number[] {
  const largest = Math.max(...fits.map((fit) => fit.logEvidence));
  const ratios = fits.map((fit) => Math.exp(fit.logEvidence - largest));
  const total = ratios.reduce((sum, ratio) => sum + ratio, 0);
  return ratios.map((ratio) => ratio / total);
}

function heavierThan(least: number, fits: readonly VariantFit[]): VariantFit[] {
  const shares = sharesOf(fits);
  return fits.filter((_, index) => shares[index]! > least);
}

/**
 * The number of the last milestone up to `now`, when it lies after `before`. At milestones all variants compete, and
 * are searched from several starts: always while there are very few trials, then each time they have grown by an
 * eighth, and, once fits take time, one variant's turn at a milestone. In between the members of then are continued.
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
