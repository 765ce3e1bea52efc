// What searches that model their metrics have in common.

import type { Acquisition } from "../acquisition/acquisition.ts";
import type { Ensemble, Member } from "../model/ensemble.ts";
import type { MetricModels } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import type { Goal } from "../objective/goal.ts";
import type { Space } from "../space/space.ts";
import type { LedgerView } from "../study/stages.ts";

export interface MetricsInput {
  readonly space: Space;
  readonly ledger: LedgerView;
  readonly goal: Goal;
  readonly models: MetricModels;
  /** The model of the score, where it is one that is maximised; undefined for a front and for the worst metric. */
  readonly scored: Model | undefined;
  readonly seed: number;
  readonly trial: number;
}

export interface Search {
  readonly acquisition: Acquisition;
  /** Where to look closely; at least one. */
  readonly incumbents: readonly Float64Array[];
}

/** Joint samples of whom to condition on. */
export const pruningSamples = 64;
/** Evaluated points that are looked at, and that are conditioned on. */
export const largestField = 128;
export const largestFront = 32;

export const membersOf = (ensembles: readonly Ensemble[]): (readonly Member[])[] =>
  ensembles.map(({ members }) => members);

/** The first of equal points. */
export function distinctUnits(units: readonly Float64Array[]): Float64Array[] {
  const seen = new Set<string>();
  return units.filter((unit) => seen.size < seen.add(unit.join()).size);
}
