// Drives the optimizer from a job's trials so that each proposal depends on the recipe and the scores alone: what the thread is
// told before trial k is what `studyEvents` says, and no more.
import type { Values } from "@amalgam/optimizer";
import type { AskRecord } from "../job/events.ts";
import type { JobState } from "../job/state.ts";
import { type StudyFacts, studyEvents, studyId } from "../job/study-events.ts";
import type { SearchThread } from "./search-thread.ts";

export interface Proposed {
  readonly coefficients: Readonly<Record<string, number>>;
  readonly origin: string;
  readonly ask: AskRecord;
}

export interface Recommended {
  readonly trial: number;
  readonly coefficients: Readonly<Record<string, number>>;
  /** What is believed of its score. */
  readonly mean: number;
  readonly standardDeviation: number;
  readonly probabilityBest?: number;
}

/** Rejections are those of {@link SearchThread.answer}. One call at a time. */
export interface SearchDriver {
  /** The trials before it must be in `state`, and those settled that it is told of. */
  propose(state: JobState, trial: number): Promise<Proposed>;
  /** All trials must be settled, and one must have a score. */
  recommend(state: JobState): Promise<Recommended>;
}

export function createSearchDriver(thread: Pick<SearchThread, "answer">, facts: StudyFacts): SearchDriver {
  return {
    async propose(state, trial) {
      const { type: _, values, origin, ...ask } = await thread.answer(studyEvents(state, facts, trial), "propose");
      return { coefficients: numbersOf(values), origin, ask };
    },
    async recommend(state) {
      const found = await thread.answer(studyEvents(state, facts), "recommend");
      if (found === undefined) throw new Error("no trial has a score");
      const { id, ...belief } = found;
      const trial = state.trials.findIndex((_, index) => studyId(state.trials, index) === id);
      return { ...belief, trial, coefficients: state.trials[trial]!.coefficients };
    },
  };
}

/** A recipe searches numbers only. */
const numbersOf = (values: Values): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
