// The model's next point: who may be best (joint posterior samples), what is in flight, and the maximiser of log
// noisy expected improvement given both, times the probability that the trial will not fail.

import { type Acquisition, createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { averageAcquisitions } from "../acquisition/average.ts";
import { sampleFantasies } from "../acquisition/fantasies.ts";
import { rankByMean, shareOfWins } from "../acquisition/leaders.ts";
import { rankCandidates } from "../acquisition/maximise.ts";
import { createLogFeasibility } from "../model/feasibility.ts";
import { type GaussianProcess, predictLatent } from "../model/gp.ts";
import type { Model } from "../model/model.ts";
import { normalQuantile } from "../numerics/normal.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { Trial } from "../study/ledger.ts";
import type { LedgerView } from "../study/stages.ts";

const fantasyCount = 64;
const pruningSamples = 256;
const pruningPoints = 32;
const largestIncumbents = 16;

/** Unit coordinates of the next proposal; never a taken point unless the space has no other left to offer. */
export function proposeByModel(
  space: Space,
  ledger: LedgerView,
  model: Model,
  seed: number,
  trial: number,
): Float64Array {
  const incumbents = likelyBest(model, seed, trial);
  const unitsOf = (state: Trial["state"]) => ledger.trials.filter((one) => one.state === state).map((one) => one.unit);
  const base = [...incumbents, ...unitsOf("pending")];
  const normals = sobolNormals(base.length, seed, trial);
  const improvement = averageAcquisitions(
    model.members.map(({ gp, targets, weight }) => ({
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
  return ranked.find((unit) => !ledger.isTaken(unit)) ?? ranked[0]!;
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
  return Math.max(...units.map((unit) => predictLatent(gp, unit).mean));
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
