// The state that a sequence of events adds up to: every trial with its outcome, and the queue of points the caller
// wants tried. Knows nothing of models; refuses events that contradict the log so far.

import { StudyError } from "../errors.ts";
import type { Score } from "../model/targets.ts";
import type { Scalarise } from "../objective/scalarise.ts";
import type { Space, Values } from "../space/space.ts";
import type { ModelRecord, Origin, Outcome, StudyEvent } from "./events.ts";

export interface Trial {
  readonly id: number;
  readonly values: Values;
  /** Unit coordinates, derived from `values` so that live and replayed studies hold the same bits. */
  readonly unit: Float64Array;
  readonly origin: Origin;
  state: "pending" | "complete" | "failed" | "released";
  outcome: Outcome | undefined;
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
  /** The last model proposal's record. */
  readonly lastModel: ModelRecord | undefined;
  /** Trials with a score, by id whatever the order they were told in. */
  completed(): CompletedTrial[];
  trial(id: number): Trial;
  /** Is there a trial, not released, at this point? */
  isTaken(unit: Float64Array): boolean;
  apply(event: StudyEvent): void;
}

/** `scalarise` gives the score of an outcome, and throws StudyError for one that cannot have a score. */
export function createLedger(space: Space, scalarise: Scalarise): Ledger {
  const trials: Trial[] = [];
  const queue: Values[] = [];
  let lastModel: ModelRecord | undefined;

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

  const applyAsk = (event: StudyEvent & { type: "ask" }): void => {
    const { id, origin, model } = event;
    if (id !== trials.length) throw new StudyError(`ask event has id ${id}, expected ${trials.length}`);
    space.check(event.values);
    if (model !== undefined && model.theta.length !== space.size + 2) {
      throw new StudyError(
        `ask event ${id} records ${model.theta.length} model parameters, expected ${space.size + 2}`,
      );
    }
    const unit = space.toUnit(event.values);
    trials.push({ id, values: event.values, unit, origin, state: "pending", outcome: undefined, score: undefined });
    lastModel = model ?? lastModel;
    // Enqueued points are asked in order; those before this one were skipped because they were already taken.
    const at = origin === "enqueued" ? queue.findIndex((values) => isSame(space.toUnit(values), unit)) : queue.length;
    queue.splice(0, at + 1);
  };

  return {
    trials,
    queue,
    get lastModel() {
      return lastModel;
    },
    completed: () => trials.filter((one): one is CompletedTrial => one.state === "complete"),
    trial,
    isTaken: (unit) => trials.some((one) => one.state !== "released" && isSame(one.unit, unit)),
    apply(event) {
      switch (event.type) {
        case "ask":
          return applyAsk(event);
        case "enqueue":
          space.check(event.values);
          queue.push(event.values);
          return;
        case "tell": {
          const { type: _, id: __, ...outcome } = event;
          const score = scalarise(outcome);
          const told = openTrial(event);
          Object.assign(told, { state: "complete", outcome, score });
          return;
        }
        case "fail":
          openTrial(event).state = "failed";
          return;
        case "release": {
          const released = openTrial(event);
          released.state = "released";
          if (released.origin === "enqueued") queue.unshift(released.values);
          return;
        }
        default:
          throw new StudyError(`unknown event type "${String((event satisfies never as StudyEvent).type)}"`);
      }
    },
  };
}

function isSame(a: Float64Array, b: Float64Array): boolean {
  return a.every((coordinate, k) => Math.abs(coordinate - b[k]!) <= sameness);
}
