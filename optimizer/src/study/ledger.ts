// The state that a sequence of events adds up to: every trial with its outcome, and the queue of points the caller
// wants tried. Knows nothing of models; refuses events that contradict the log so far.

import { StudyError } from "../errors.ts";
import type { MetricRecords } from "../model/metric-models.ts";
import type { Score } from "../model/targets.ts";
import type { Scalarise } from "../objective/scalarise.ts";
import type { Space, Values } from "../space/space.ts";
import type { CmaRecord } from "../strategies/cmaes.ts";
import type { Origin, Outcome, ProposalRecord, StudyEvent } from "./events.ts";

export interface Trial {
  readonly id: number;
  readonly values: Values;
  /** Unit coordinates, derived from `values` so that live and replayed studies hold the same bits. */
  readonly unit: Float64Array;
  readonly origin: Origin;
  /** The stage that it was asked for in; undefined after all stages, and for observations. */
  readonly stage: string | undefined;
  /** Of an observed trial, who measured it. */
  readonly source: string | undefined;
  /** What CMA-ES remembers of a trial that it proposed. */
  readonly cma: CmaRecord | undefined;
  state: "pending" | "complete" | "failed" | "released";
  outcome: Outcome | undefined;
  /** Why a failed trial has no outcome. */
  reason: string | undefined;
  /** The objective of the outcome. */
  score: Score | undefined;
}

export interface CompletedTrial extends Trial {
  readonly outcome: Outcome;
  readonly score: Score;
}

/** Points closer than this in every unit coordinate are the same point. */
const sameness = 1e-6;

export interface Ledger {
  readonly trials: readonly Trial[];
  /** Points waiting to be asked, oldest first. */
  readonly queue: readonly Values[];
  /** Trials that were asked for. */
  readonly asked: number;
  /** The record of the last model proposal of a stage; of the study's own space for `undefined`. */
  lastModelOf(stage: string | undefined): ProposalRecord | undefined;
  /** The same of the metrics' models. */
  lastMetricsOf(stage: string | undefined): MetricRecords | undefined;
  /** Trials with a score, by id whatever the order they were told in. */
  completed(): CompletedTrial[];
  trial(id: number): Trial;
  /** The first trial, not released, at this point. */
  holder(unit: Float64Array): Trial | undefined;
  /** Is there a trial, not released, at this point? */
  isTaken(unit: Float64Array): boolean;
  apply(event: StudyEvent): void;
}

export const isComplete = (trial: Trial): trial is CompletedTrial => trial.state === "complete";

/**
 * `scalarise` gives the score of an outcome, and throws StudyError for one that cannot have a score.
 * @param sizeOf coordinates of the space of a stage; throws StudyError for one that there is not
 */
export function createLedger(
  space: Space,
  scalarise: Scalarise,
  sizeOf: (stage: string | undefined) => number = () => space.size,
): Ledger {
  const trials: Trial[] = [];
  const queue: Values[] = [];
  const lastModels = new Map<string | undefined, ProposalRecord>();
  const lastMetrics = new Map<string | undefined, MetricRecords>();
  let asked = 0;

  const trial = (id: number): Trial => {
    const found = trials[id];
    if (found === undefined)
      throw new StudyError(`trial ${id} was never asked for; ids run from 0 to ${trials.length - 1}`);
    return found;
  };

  /** The trial an outcome is about; refuses a second outcome. */
  const openTrial = ({ type, id }: { readonly type: string; readonly id: number }): Trial => {
    const found = trial(id);
    if (found.state === "complete" || found.state === "failed") {
      throw new StudyError(`${type} event for trial ${id}, which is already ${found.state}`);
    }
    return found;
  };

  const addTrial = (
    { type, id, values }: { readonly type: string; readonly id: number; readonly values: Values },
    origin: Origin,
    { stage, source, cma }: Partial<Pick<Trial, "stage" | "source" | "cma">>,
  ): Trial => {
    if (id !== trials.length) throw new StudyError(`${type} event has id ${id}, expected ${trials.length}`);
    space.check(values);
    const unit = space.toUnit(values);
    const added = {
      id,
      values,
      unit,
      origin,
      stage,
      source,
      cma,
      outcome: undefined,
      reason: undefined,
      score: undefined,
    };
    trials.push({ ...added, state: "pending" });
    return trials[id]!;
  };

  const applyAsk = (event: StudyEvent & { type: "ask" }): void => {
    const { id, origin, stage, model, cma, metrics } = event;
    const expected = sizeOf(stage) + 2;
    const records = [...(model ? [model] : []), ...Object.values(metrics ?? {})];
    const wrong = records.flatMap(({ members }) => members).find(({ theta }) => theta.length !== expected);
    if (wrong !== undefined) {
      throw new StudyError(`ask event ${id} records ${wrong.theta.length} model parameters, expected ${expected}`);
    }
    for (const point of [cma?.point, cma?.start?.mean]) {
      if (point === undefined || point.length === sizeOf(stage)) continue;
      throw new StudyError(`ask event ${id} records ${point.length} coordinates, expected ${sizeOf(stage)}`);
    }
    const unknown = [...(cma?.ranked ?? []), ...(cma?.start?.pending ?? [])].find((other) => !(other < id));
    if (unknown !== undefined) throw new StudyError(`ask event ${id} records trial ${unknown}, which is not before it`);
    const { unit } = addTrial(event, origin, { stage, cma });
    asked++;
    if (model !== undefined) lastModels.set(stage, model);
    if (metrics !== undefined) lastMetrics.set(stage, metrics);
    // Enqueued points are asked in order; those before this one were skipped because they were already taken.
    const at = origin === "enqueued" ? queue.findIndex((values) => isSame(space.toUnit(values), unit)) : queue.length;
    queue.splice(0, at + 1);
  };

  const applyObserve = (event: StudyEvent & { type: "observe" }): void => {
    const { result, source } = event;
    const isFailure = "reason" in result;
    const score = isFailure ? undefined : scalarise(result);
    const trial = addTrial(event, "observed", { source });
    if (isFailure) Object.assign(trial, { state: "failed", reason: result.reason });
    else Object.assign(trial, { state: "complete", outcome: result, score });
  };

  const holder = (unit: Float64Array): Trial | undefined =>
    trials.find((one) => one.state !== "released" && isSame(one.unit, unit));

  return {
    trials,
    queue,
    get asked() {
      return asked;
    },
    lastModelOf: (stage) => lastModels.get(stage),
    lastMetricsOf: (stage) => lastMetrics.get(stage),
    completed: () => trials.filter(isComplete),
    trial,
    holder,
    isTaken: (unit) => holder(unit) !== undefined,
    apply(event) {
      switch (event.type) {
        case "ask":
          return applyAsk(event);
        case "enqueue":
          space.check(event.values);
          queue.push(event.values);
          return;
        case "observe":
          return applyObserve(event);
        case "tell": {
          const { type: _, id: __, ...outcome } = event;
          const score = scalarise(outcome);
          Object.assign(openTrial(event), { state: "complete", outcome, score });
          return;
        }
        case "fail":
          Object.assign(openTrial(event), { state: "failed", reason: event.reason });
          return;
        case "release": {
          const released = openTrial(event);
          if (released.state === "released") throw new StudyError(`trial ${event.id} is released twice`);
          released.state = "released";
          if (released.origin === "enqueued") queue.unshift(released.values);
          return;
        }
        default:
          event satisfies never;
      }
    },
  };
}

function isSame(a: Float64Array, b: Float64Array): boolean {
  return a.every((coordinate, k) => Math.abs(coordinate - b[k]!) <= sameness);
}
