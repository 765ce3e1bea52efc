// The model's next point: who may be best (joint posterior samples), what is in flight, and the maximiser of log
// noisy expected improvement given both, times the probability that the trial will not fail.

import { type Acquisition, createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { averageAcquisitions } from "../acquisition/average.ts";
import { sampleFantasies } from "../acquisition/fantasies.ts";
import { knowledgeGradients } from "../acquisition/knowledge-gradient.ts";
import { rankByMean, shareOfWins } from "../acquisition/leaders.ts";
import { type Candidate, rankCandidates } from "../acquisition/maximise.ts";
import type { Member } from "../model/ensemble.ts";
import { createLogFeasibility, type LogFeasibility } from "../model/feasibility.ts";
import { conditionProcess, type GaussianProcess, predictMeans } from "../model/gp.ts";
import type { Model } from "../model/model.ts";
import { normalQuantile } from "../numerics/normal.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { ProposalRecord } from "../study/events.ts";
import type { Trial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";

const fantasyCount = 64;
const pruningSamples = 256;
const pruningPoints = 32;
const largestIncumbents = 16;
/** Candidates by expected improvement among which the knowledge gradient chooses. */
const shortlistLength = 24;
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
  // Every other proposal of a search that is stuck looks elsewhere.
  const isExploring = last !== undefined && !last.isExploring && last.logImprovement < stuckBelow && !replicates;
  const members = isExploring ? doubted(model.members, doubts[(trial >>> 1) % doubts.length]!) : model.members;
  const unitsOf = (state: Trial["state"]) => ledger.trials.filter((one) => one.state === state).map((one) => one.unit);
  const [incumbents, pending] = [likelyBest(model, seed, trial), unitsOf("pending")];
  const base = [...incumbents, ...pending];
  const normals = sobolNormals(base.length, seed, trial);
  const improvement = averageAcquisitions(
    members.map(({ gp, targets, weight }) => ({
      logWeight: Math.log(weight * targets.slope(bestLatent(gp, incumbents))),
      acquisition: createLogNoisyImprovement(sampleFantasies(gp, base, normals)),
    })),
  );
  const feasibility = createLogFeasibility(space.size, unitsOf("complete"), unitsOf("failed"));
  const acquisition: Acquisition = {
    evaluate(points, count, values, gradients) {
      improvement.evaluate(points, count, values, gradients);
      feasibility(points, count, values, gradients);
    },
  };
  const ranked = rankCandidates({ space, acquisition, incumbents, seed, trial });
  const fresh = ranked.filter(({ x }) => !ledger.isTaken(x));
  const best = fresh[0] ?? ranked[0]!;
  const unit = replicates ? mostInformative(input, fresh, incumbents, pending, feasibility) : best.x;
  const logImprovement = isExploring ? last.logImprovement : best.value;
  return { unit, record: { ...model.record, logImprovement, isExploring } };
}

/** Of the best candidates and the leaders themselves, what the final recommendation gains most from. */
function mostInformative(
  { model }: ProposeInput,
  fresh: readonly Candidate[],
  leaders: readonly Float64Array[],
  pending: readonly Float64Array[],
  feasibility: LogFeasibility,
): Float64Array {
  const shortlist = [...fresh.slice(0, shortlistLength).map(({ x }) => x), ...leaders];
  const logFeasible = new Float64Array(shortlist.length);
  feasibility(Float64Array.from(shortlist.flatMap((x) => [...x])), shortlist.length, logFeasible);
  const gains = new Float64Array(shortlist.length);
  for (const { gp, targets, weight } of model.members) {
    const noiseVariance = gp.nugget + median(targets.noiseVariances);
    const factor = weight * targets.slope(bestLatent(gp, leaders));
    for (const [index, gain] of knowledgeGradients({ gp, leaders, pending, noiseVariance }, shortlist).entries()) {
      gains[index]! += factor * Math.exp(logFeasible[index]!) * gain;
    }
  }
  return shortlist[gains.indexOf(Math.max(...gains))]!;
}

/** The members with shorter length scales: less is known of what lies between and beyond the points. */
function doubted(members: readonly Member[], divisor: number): Member[] {
  return members.map((member) => {
    const { data, kernel, theta } = member.gp;
    const shortened = theta.map((value, k) => (k < data.dimension ? value - Math.log(divisor) : value));
    return { ...member, gp: conditionProcess(data, kernel, shortened) };
  });
}

function median(values: Float64Array): number {
  return values.toSorted()[values.length >>> 1]!;
}

/** Evaluated points that are the best of all in some joint posterior sample, most often first. */
function likelyBest(model: Model, seed: number, trial: number): Float64Array[] {
  const leaders = rankByMean(model)
    .slice(0, pruningPoints)
    .map((index) => model.trials[index]!.unit);
  const shares = shareOfWins(model, leaders, pruningSamples, createStream(seed, trial, purposes.pruning));
  return leaders
    .map((unit, index) => ({ unit, share: shares[index]! }))
    .filter((leader) => leader.share > 0)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, largestIncumbents)
    .map((leader) => leader.unit);
}

/** The largest posterior mean among `units`, as a target. */
function bestLatent(gp: GaussianProcess, units: readonly Float64Array[]): number {
  return Math.max(...predictMeans(gp, Float64Array.from(units.flatMap((unit) => [...unit])), units.length));
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
