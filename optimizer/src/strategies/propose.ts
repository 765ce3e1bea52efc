// The model's next point: who may be best (joint posterior samples), what is in flight, and the maximiser of log
// noisy expected improvement given both, times the probability that the trial will not fail.

import { type Acquisition, createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { averageAcquisitions } from "../acquisition/average.ts";
import { sampleFantasies } from "../acquisition/fantasies.ts";
import { bestLatent, byShareOfWins, rankByMean } from "../acquisition/leaders.ts";
import { type Candidate, rankCandidates } from "../acquisition/maximise.ts";
import { createPosteriorMean } from "../acquisition/posterior-mean.ts";
import { type Member, noiseOf } from "../model/ensemble.ts";
import { createLogFeasibility } from "../model/feasibility.ts";
import { conditionProcess } from "../model/gp.ts";
import type { Model } from "../model/model.ts";
import { normalQuantile } from "../numerics/normal.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { ProposalRecord } from "../study/events.ts";
import type { Trial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";
import { designPoint, designTrials, mostInformative } from "./under-noise.ts";

const fantasyCount = 64;
const pruningPoints = 32;
const largestIncumbents = 16;
/** The share of a target's variance from which noise is reckoned with. */
const noticeableNoise = 1e-3;
/** The share from which a search in many dimensions learns more from points all over than from near the best ones. */
const dominantNoise = 0.05;
/** Expected improvements below this share of the noise of one evaluation are within it: leaders are evaluated again. */
const stuckNoiseShare = 0.02;
/** Under noise one proposal in so many is the best guess itself, so that there is something to recommend. */
const guessEvery = 8;
/** Expected improvements below this share of what the best score is above the median mean that the search is stuck. */
const stuckBelow = Math.log(1e-4);
/** A stuck search doubts its length scales: they are divided by 2, 4 and 8 in turn. */
const doubts = [2, 4, 8];

export interface ProposeInput {
  readonly space: Space;
  readonly ledger: LedgerView;
  readonly model: Model;
  /** Evaluating a point again draws new noise. */
  readonly replicates: boolean;
  readonly seed: number;
  readonly trial: number;
}

export interface ModelProposal {
  /** Unit coordinates; without `replicates` never a taken point unless the space has no other left to offer. */
  readonly unit: Float64Array;
  readonly record: ProposalRecord;
}

export function proposeByModel(input: ProposeInput): ModelProposal {
  const { space, ledger, model, replicates, seed, trial } = input;
  const last = ledger.lastModel;
  const noise = noiseOf(model.members[0]!);
  const isNoisy = replicates || noise > noticeableNoise;
  // Every other proposal of a search that is stuck looks elsewhere.
  const isExploring = last !== undefined && !last.isExploring && last.logImprovement < stuckBelow && !isNoisy;
  const members = isExploring ? doubted(model.members, doubts[(trial >>> 1) % doubts.length]!) : model.members;
  const unitsOf = (state: Trial["state"]) => ledger.trials.filter((one) => one.state === state).map((one) => one.unit);
  const [incumbents, pending] = [likelyBest(model, seed, trial), unitsOf("pending")];
  const feasibility = createLogFeasibility(space.size, unitsOf("complete"), unitsOf("failed"));
  const isAsking = isNoisy && trial % 2 === 0 && trial % guessEvery !== 0;
  const feasible = (acquisition: Acquisition): Acquisition => ({
    evaluate(points, count, values, gradients) {
      acquisition.evaluate(points, count, values, gradients);
      feasibility(points, count, values, gradients);
    },
  });
  const ranked = (
    wanted: Acquisition,
    ofHeaviest?: Acquisition,
  ): { all: readonly Candidate[]; fresh: readonly Candidate[] } => {
    const acquisition = feasible(wanted);
    const screen = ofHeaviest && feasible(ofHeaviest);
    const all = rankCandidates({ space, acquisition, screen, incumbents, isRough: isAsking, seed, trial });
    return { all, fresh: all.filter(({ x }) => !ledger.isTaken(x)) };
  };
  if (isNoisy && last !== undefined && trial % guessEvery === 0) {
    const { logImprovement } = last;
    const { all, fresh } = ranked(createPosteriorMean(members));
    const guess = replicates ? all[0]! : (fresh[0] ?? all[0]!);
    return { unit: guess.x, record: { ...model.record, logImprovement, isExploring } };
  }
  if (noise > dominantNoise && last !== undefined && ledger.trials.length < designTrials(space.size)) {
    const { logImprovement } = last;
    const unit = designPoint(space, seed, trial);
    if (!ledger.isTaken(unit)) return { unit, record: { ...model.record, logImprovement, isExploring } };
  }
  const base = [...incumbents, ...pending];
  const normals = sobolNormals(base.length, seed, trial);
  const parts = members.map(({ gp, targets, weight }) => ({
    logWeight: Math.log(weight * targets.slope(bestLatent(gp, incumbents))),
    acquisition: createLogNoisyImprovement(sampleFantasies(gp, base, normals)),
  }));
  const ofHeaviest = parts.length > 1 ? parts[0]!.acquisition : undefined;
  const { all, fresh } = ranked(averageAcquisitions(parts), ofHeaviest);
  const best = fresh[0] ?? all[0]!;
  const isStuck = last !== undefined && last.logImprovement < Math.log(stuckNoiseShare * Math.sqrt(noise));
  const unit =
    isAsking && fresh.length > 0
      ? mostInformative({
          ...input,
          fresh,
          leaders: incumbents,
          pending,
          feasibility,
          mayRepeat: replicates && isStuck,
        })
      : best.x;
  const logImprovement = isExploring ? last.logImprovement : best.value;
  return { unit, record: { ...model.record, logImprovement, isExploring } };
}

/** The members with shorter length scales: less is known of what lies between and beyond the points. */
function doubted(members: readonly Member[], divisor: number): Member[] {
  return members.map((member) => {
    const { data, kernel, theta } = member.gp;
    const shortened = theta.map((value, k) => (k < data.dimension ? value - Math.log(divisor) : value));
    return { ...member, gp: conditionProcess(data, kernel, shortened) };
  });
}

/** Evaluated points that are the best of all in some joint posterior sample, most often first. */
function likelyBest(model: Model, seed: number, trial: number): Float64Array[] {
  const leaders = rankByMean(model)
    .slice(0, pruningPoints)
    .map((index) => model.trials[index]!.unit);
  return byShareOfWins(model, leaders, createStream(seed, trial, purposes.pruning)).slice(0, largestIncumbents);
}

/** Standard normals [fantasyCount, dimension] from a scrambled Sobol sequence. */
function sobolNormals(dimension: number, seed: number, trial: number): Float64Array {
  const sobol = createSobol(dimension, createStream(seed, trial, purposes.fantasies));
  const normals = new Float64Array(fantasyCount * dimension);
  for (let m = 0; m < fantasyCount; m++) {
    const row = normals.subarray(m * dimension, (m + 1) * dimension);
    sobol.point(m, row);
    for (let b = 0; b < dimension; b++) row[b] = normalQuantile(row[b]!);
  }
  return normals;
}
