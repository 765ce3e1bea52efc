// The model's next point: who may be best (joint posterior samples), what is in flight, and the maximiser of log
// noisy expected improvement given both, times the probability that the trial will not fail.

import { type Acquisition, createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { countWins, sampleFantasies } from "../acquisition/fantasies.ts";
import { rankCandidates } from "../acquisition/maximise.ts";
import { createLogFeasibility } from "../model/feasibility.ts";
import type { Model } from "../model/model.ts";
import { normalQuantile } from "../numerics/normal.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { Ledger, Trial } from "../study/ledger.ts";

const fantasyCount = 64;
const pruningSamples = 256;
const pruningPoints = 32;
const largestIncumbents = 16;

/** Unit coordinates of the next proposal; never a taken point unless the space has no other left to offer. */
export function proposeByModel(space: Space, ledger: Ledger, model: Model, seed: number, trial: number): Float64Array {
  const incumbents = likelyBest(model, seed, trial);
  const unitsOf = (state: Trial["state"]) => ledger.trials.filter((one) => one.state === state).map((one) => one.unit);
  const base = [...incumbents, ...unitsOf("pending")];
  const improvement = createLogNoisyImprovement(
    sampleFantasies(model.gp, base, sobolNormals(base.length, seed, trial)),
  );
  const feasibility = createLogFeasibility(space.size, unitsOf("complete"), unitsOf("failed"));
  const acquisition: Acquisition = {
    value: (x) => improvement.value(x) + feasibility(x),
    valueAndGradient: (x, gradient) => improvement.valueAndGradient(x, gradient) + feasibility(x, gradient),
  };
  const ranked = rankCandidates({ space, acquisition, incumbents, seed, trial });
  return ranked.find((unit) => !ledger.isTaken(unit)) ?? ranked[0]!;
}

/** Evaluated points that are the best of all in some joint posterior sample, most often first. */
function likelyBest(model: Model, seed: number, trial: number): Float64Array[] {
  const leaders = rankByMean(model)
    .slice(0, pruningPoints)
    .map((index) => model.trials[index]!.unit);
  const stream = createStream(seed, trial, purposes.pruning);
  const normals = Float64Array.from({ length: pruningSamples * leaders.length }, () => stream.normal());
  const wins = countWins(sampleFantasies(model.gp, leaders, normals));
  return leaders
    .map((unit, index) => ({ unit, wins: wins[index]! }))
    .filter((leader) => leader.wins > 0)
    .toSorted((a, b) => b.wins - a.wins)
    .slice(0, largestIncumbents)
    .map((leader) => leader.unit);
}

/** Indices of the model's trials by posterior mean, largest first. */
export function rankByMean(model: Model): number[] {
  const means = model.trials.map((trial) => model.predict(trial.unit).mean);
  return means.map((_, index) => index).toSorted((a, b) => means[b]! - means[a]!);
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
