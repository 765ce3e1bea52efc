// Drives the optimizer from a job's trials so that each proposal depends on the recipe and the scores alone: what the thread is
// told before trial k is what `studyEvents` says, and no more.
import type { StopReport, Values } from "@amalgam/optimizer";
import { trialId } from "../job/decide.ts";
import type { AskRecord, Belief } from "../job/events.ts";
import type { JobState } from "../job/state.ts";
import { type StudyFacts, studyEvents, studyId } from "../job/study-events.ts";
import type { Analysis } from "../report/analysis.ts";
import type { Leader } from "./proposer.ts";
import type { SearchThread } from "./search-thread.ts";

export type Proposed =
  | {
      readonly kind: "trial";
      readonly coefficients: Readonly<Record<string, number>>;
      readonly origin: string;
      readonly ask: AskRecord;
      readonly leader?: Belief;
    }
  | { readonly kind: "stop"; readonly report: StopReport };

export type Recommended = Belief & {
  readonly coefficients: Readonly<Record<string, number>>;
  readonly runnersUp: readonly Belief[];
  readonly front?: readonly string[];
};

/** Rejections are those of {@link SearchThread.answer}. One call at a time. */
export interface SearchDriver {
  /** The trials before it must be in `state`, and those settled that it is told of. */
  propose(state: JobState, trial: number): Promise<Proposed>;
  /** All trials must be settled, and one must have a score. */
  recommend(state: JobState): Promise<Recommended>;
  analyse(state: JobState): Promise<Analysis | undefined>;
}

/** How many trials besides the recommended one are told. */
const RUNNERS_UP = 7;

export function createSearchDriver(thread: Pick<SearchThread, "answer">, facts: StudyFacts): SearchDriver {
  return {
    async propose(state, trial) {
      const proposed = await thread.answer(studyEvents(state, facts, trial), "propose");
      if (proposed.kind === "stop") return proposed;
      const { event, leader } = proposed;
      const { type: _, values, origin, ...ask } = event;
      const belief = leader && { leader: beliefOf(state, leader) };
      return { kind: "trial", coefficients: numbersOf(values), origin, ask, ...belief };
    },
    async recommend(state) {
      const { leaders, front } = await thread.answer(studyEvents(state, facts), "recommend");
      const [best, ...others] = leaders;
      if (best === undefined) throw new Error("no trial has a score");
      const belief = beliefOf(state, best);
      const { coefficients } = state.trials.find(({ candidateId }) => candidateId === belief.candidateId)!;
      const runnersUp = others.slice(0, RUNNERS_UP).map((leader) => beliefOf(state, leader));
      const trials = front && { front: front.map((id) => candidateOf(state, id)) };
      return { ...belief, coefficients, runnersUp, ...trials };
    },
    analyse: (state) => thread.answer(studyEvents(state, facts), "analyse"),
  };
}

/** A recipe searches numbers only. */
const numbersOf = (values: Values): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));

const candidateOf = ({ trials }: JobState, id: number): string =>
  trialId(trials.findIndex((_, trial) => studyId(trials, trial) === id));

function beliefOf(state: JobState, { id, ...belief }: Leader): Belief {
  return { candidateId: candidateOf(state, id), ...belief };
}
