// What every way to propose looks like: a pure function of what a study knows to the next point. What it must remember
// it writes into the record of the ask event, and finds in the trials again; what it keeps besides saves time only.

import type { MetricModels, MetricRecords } from "../model/metric-models.ts";
import type { Model } from "../model/model.ts";
import type { Goal } from "../objective/goal.ts";
import type { Space } from "../space/space.ts";
import type { Origin, ProposalRecord, StudySpec } from "../study/events.ts";
import type { LedgerView } from "../study/stages.ts";
import type { CmaRecord } from "./cmaes.ts";

/** What a strategy may look at; all of it is a function of the spec and the events. */
export interface Context {
  readonly spec: StudySpec;
  readonly goal: Goal;
  /** The space to propose in: the study's own, or that of its present stage. */
  readonly space: Space;
  /** The trials as they appear in that space. */
  readonly ledger: LedgerView;
  /** The stage of the proposal; undefined after all stages. */
  readonly stage: string | undefined;
  /** The trial that is asked for. */
  readonly id: number;
  /** The surrogate; not to be called while no trial is complete. */
  readonly model: () => Model;
  /** The models of single metrics; not to be called while no trial is complete. */
  readonly metricModels: () => MetricModels;
}

/** A point to evaluate next. */
export interface Suggestion {
  /** [d] unit coordinates, snapped. */
  readonly unit: Float64Array;
  readonly origin: Origin;
  /** What the ask event is to remember of it. */
  readonly record?: {
    readonly model?: ProposalRecord;
    readonly metrics?: MetricRecords;
    readonly cma?: CmaRecord;
  };
}

export type Strategy = (context: Context) => Suggestion;

/** How many points of a fixed sequence need not be looked at again: those asked for, unless one of them was released. */
export function usedUp({ ledger, stage }: Context, origin: Origin): number {
  const asked = ledger.trials.filter((trial) => trial.origin === origin && trial.stage === stage);
  return asked.some(({ state }) => state === "released") ? 0 : asked.length;
}

/**
 * The first of the suggestions that no trial has. A space of few points can run out of new ones, and repeating one is
 * better than never answering: it is the last of as many as there are trials, and a few.
 */
export function firstNew(suggestions: Iterable<Suggestion>, { trials, isTaken }: LedgerView): Suggestion {
  let left = trials.length + 64;
  let last: Suggestion | undefined;
  for (last of suggestions) if (!isTaken(last.unit) || --left === 0) break;
  return last!;
}
