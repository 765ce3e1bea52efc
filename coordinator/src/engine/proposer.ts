// What proposes in a search: a study, or a greedy soup behind the same face. Pure: a function of the basis and the events.
import {
  createGreedySoup,
  createScalarise,
  replay,
  type StopReport,
  type Study,
  StudyError,
  type StudyEvent,
} from "@amalgam/optimizer";
import type { Belief, SearchBasis } from "../job/events.ts";
import { type Analysis, analyse } from "../report/analysis.ts";

export type AskEvent = Extract<StudyEvent, { type: "ask" }>;

/** About the trial that the study gave this number. */
export type Leader = Omit<Belief, "candidateId"> & { readonly id: number };

export type Proposed =
  | { readonly kind: "trial"; readonly event: AskEvent; readonly leader: Leader | undefined }
  | { readonly kind: "stop"; readonly report: StopReport };

/** Trials of this search. */
export interface Leaders {
  /** Best first; none while no trial has a score. */
  readonly leaders: readonly Leader[];
  /** Of a search for trade-offs: those that no other is believed to beat on every task. */
  readonly front?: readonly number[];
}

export interface Proposer {
  /** Takes an outcome. Its own proposals it knows. */
  apply(event: StudyEvent): void;
  propose(): Proposed;
  recommend(): Leaders;
  /** What the model of the search has learned; undefined where there is no model. */
  analyse(): Analysis | undefined;
}

/** The proposer that all these events lead to. Throws StudyError when they contradict each other or the basis. */
export const createProposer = (basis: SearchBasis, events: readonly StudyEvent[]): Proposer =>
  basis.proposer === "greedy_soup" ? soupOf(basis, events) : studyOf(basis, events);

function studyOf({ spec, stopsEarly }: SearchBasis, events: readonly StudyEvent[]): Proposer {
  const study = replay(spec, events);
  return {
    apply(event) {
      if (event.type === "tell") study.tell(event.id, event);
      else if (event.type === "fail") study.fail(event.id, event.reason);
      else throw new Error(`a study that has begun is not told of "${event.type}"`);
    },
    propose() {
      const report = stopsEarly ? study.shouldStop() : undefined;
      if (report?.stop === true) return { kind: "stop", report };
      const leader = leadersOf(study)[0];
      study.ask();
      return { kind: "trial", event: study.events.at(-1) as AskEvent, leader };
    },
    recommend() {
      const front = spec.objective?.kind === "pareto" ? study.pareto()?.points : undefined;
      return { leaders: leadersOf(study), ...(front && { front: front.map(({ id }) => id).filter(isOwn(study)) }) };
    },
    analyse: () => analyse(study),
  };
}

/** Points that an earlier search measured are known but are no trials of this one. */
const isOwn = (study: Study): ((id: number) => boolean) => {
  const trials = study.trials();
  return (id) => trials[id]?.origin !== "observed";
};

function leadersOf(study: Study): Leader[] {
  const own = study.trials().filter(({ id, outcome }) => outcome !== undefined && isOwn(study)(id));
  const found = study
    .leaders(study.events.length)
    .filter(({ id }) => own.some((trial) => trial.id === id))
    .map(({ id, mean, standardDeviation, credibleInterval, probabilityBest, probabilityFeasible }) => {
      const feasible = (study.spec.constraints ?? []).length > 0 && { probabilityFeasible };
      return { id, mean, standardDeviation, credibleInterval, probabilityBest, ...feasible };
    });
  if (found.length > 0) return found;
  // So many earlier points are better than all trials that these have no part in the comparison.
  const beliefs = study.predict(own.map(({ values }) => values));
  return own
    .map(({ id }, index) => ({ id, ...beliefs[index]!, probabilityBest: 0 }))
    .toSorted((a, b) => b.mean - a.mean);
}

/** A soup has no log of its own; that it proposes again what it has proposed costs nothing. */
function soupOf({ spec }: SearchBasis, events: readonly StudyEvent[]): Proposer {
  const { dimensions, metrics = ["score"], objective = { kind: "mean" } } = spec;
  const scalarise = createScalarise(metrics, objective);
  const soup = createGreedySoup(dimensions.map(({ name }) => name));
  const apply = (event: StudyEvent): void => {
    if (event.type === "tell") {
      const { value, standardError = 0 } = scalarise(event);
      soup.tell(event.id, { values: [value], standardErrors: [standardError] });
    } else if (event.type === "fail") soup.fail(event.id, event.reason);
    else if (event.type === "ask") {
      const { values } = soup.ask();
      const isSame = Object.entries(values).every(([name, value]) => event.values[name] === value);
      if (!isSame) throw new StudyError(`trial ${event.id} is not the soup that follows from the trials before it`);
    } else throw new Error(`a soup is not told of "${event.type}"`);
  };
  for (const event of events) apply(event);
  const leaders = (): Leader[] => {
    const found = soup.recommend();
    if (found === undefined) return [];
    const { id, observed } = found;
    return [{ id, mean: observed.values[0]!, standardDeviation: observed.standardErrors?.[0] ?? 0 }];
  };
  return {
    apply,
    propose() {
      const [leader] = leaders();
      return { kind: "trial", event: { type: "ask", ...soup.ask() }, leader };
    },
    recommend: () => ({ leaders: leaders() }),
    analyse: () => undefined,
  };
}
