// What is worth evaluating where evaluations are noisy: not only what may be better than the best, but what tells which
// of the good points is best.

import { knowledgeGradients } from "../acquisition/knowledge-gradient.ts";
import { bestLatent, byShareOfWins } from "../acquisition/leaders.ts";
import type { Candidate } from "../acquisition/maximise.ts";
import { noiseOf } from "../model/ensemble.ts";
import type { LogFeasibility } from "../model/feasibility.ts";
import type { Model } from "../model/model.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import type { Space } from "../space/space.ts";
import type { LedgerView } from "../study/stages.ts";

/** Candidates by expected improvement, and all over the space, among which the knowledge gradient chooses. */
const shortlistLength = 24;
const anywhereCount = 48;
/** Candidates by expected improvement that are sampled for rivals of the leaders, and how many rivals are kept. */
const rivalField = 32;
const mostRivals = 24;

/**
 * How many trials are spread all over the space, best guesses aside, where noise dominates: a slope is learned from
 * wide steps, and the more dimensions, the less a step can be told from noise. Few dimensions need none beyond the start.
 */
export function designTrials(dimension: number): number {
  return dimension * Math.min(4, dimension / 6);
}

export function designPoint(space: Space, seed: number, trial: number): Float64Array {
  const unit = new Float64Array(space.size);
  createSobol(space.size, createStream(seed, 0, purposes.start)).point(trial, unit);
  space.spread(unit);
  return unit;
}

export interface InformativeInput {
  readonly space: Space;
  readonly ledger: Pick<LedgerView, "isTaken">;
  readonly model: Model;
  /** Candidates that are not taken, at least one, by expected improvement. */
  readonly fresh: readonly Candidate[];
  /** Evaluated points that may be best. */
  readonly leaders: readonly Float64Array[];
  readonly pending: readonly Float64Array[];
  readonly feasibility: LogFeasibility;
  /** May a leader be evaluated again? */
  readonly mayRepeat: boolean;
  readonly seed: number;
  readonly trial: number;
}

/** Of the best candidates and points all over the space, what tells most about where the best point is. */
export function mostInformative(input: InformativeInput): Float64Array {
  const { space, ledger, model, fresh, leaders, pending, feasibility, mayRepeat, seed, trial } = input;
  const stream = createStream(seed, trial, purposes.rivals);
  const field = [...leaders, ...fresh.slice(0, rivalField).map(({ x }) => x)];
  const rivals = byShareOfWins(model, field, stream).slice(0, mostRivals);
  const sobol = createSobol(space.size, stream);
  const anywhere = Array.from({ length: anywhereCount }, (_, index) => {
    const x = new Float64Array(space.size);
    sobol.point(index, x);
    space.spread(x);
    return x;
  }).filter((x) => !ledger.isTaken(x));
  const candidates = [...fresh.slice(0, shortlistLength).map(({ x }) => x), ...anywhere, ...(mayRepeat ? leaders : [])];
  const logFeasible = new Float64Array(candidates.length);
  feasibility(Float64Array.from(candidates.flatMap((x) => [...x])), candidates.length, logFeasible);
  const gains = new Float64Array(candidates.length);
  for (const { gp, targets, weight } of model.members) {
    const noiseVariance = noiseOf({ gp, targets });
    const factor = weight * targets.slope(bestLatent(gp, leaders));
    for (const [index, gain] of knowledgeGradients({ gp, rivals, pending, noiseVariance }, candidates).entries()) {
      gains[index]! += factor * Math.exp(logFeasible[index]!) * gain;
    }
  }
  return candidates[gains.indexOf(Math.max(...gains))]!;
}
