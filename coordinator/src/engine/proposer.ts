// What proposes in a search: a study, or a greedy soup behind the same face. Pure: a function of the basis and the events.
import { createGreedySoup, createScalarise, replay, StudyError, type StudyEvent } from "@amalgam/optimizer";
import type { SearchBasis } from "../job/events.ts";

export type AskEvent = Extract<StudyEvent, { type: "ask" }>;

export interface Recommended {
  /** The study's number of the trial. */
  readonly id: number;
  /** What is believed of its score. */
  readonly mean: number;
  readonly standardDeviation: number;
  readonly probabilityBest?: number;
}

export interface Proposer {
  /** Takes an outcome. Its own proposals it knows. */
  apply(event: StudyEvent): void;
  propose(): AskEvent;
  /** Undefined while no trial has a score. */
  recommend(): Recommended | undefined;
}

/** The proposer that all these events lead to. Throws StudyError when they contradict each other or the basis. */
export const createProposer = ({ proposer, spec }: SearchBasis, events: readonly StudyEvent[]): Proposer =>
  proposer === "greedy_soup" ? soupOf(spec, events) : studyOf(spec, events);

function studyOf(spec: SearchBasis["spec"], events: readonly StudyEvent[]): Proposer {
  const study = replay(spec, events);
  return {
    apply(event) {
      if (event.type === "tell") study.tell(event.id, event);
      else if (event.type === "fail") study.fail(event.id, event.reason);
      else throw new Error(`a study that has begun is not told of "${event.type}"`);
    },
    propose() {
      study.ask();
      return study.events.at(-1) as AskEvent;
    },
    recommend() {
      const found = study.recommend();
      if (found === undefined) return undefined;
      const { id, mean, standardDeviation, probabilityBest } = found;
      return { id, mean, standardDeviation, probabilityBest };
    },
  };
}

/** A soup has no log of its own; that it proposes again what it has proposed costs nothing. */
function soupOf(spec: SearchBasis["spec"], events: readonly StudyEvent[]): Proposer {
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
  return {
    apply,
    propose: () => ({ type: "ask", ...soup.ask() }),
    recommend() {
      const found = soup.recommend();
      if (found === undefined) return undefined;
      const { id, observed } = found;
      return { id, mean: observed.values[0]!, standardDeviation: observed.standardErrors?.[0] ?? 0 };
    },
  };
}
