// Drives the optimizer from a job's trials so that each proposal depends on the recipe and the scores alone: trial k is
// asked for when exactly the trials before `tellBefore` have been told, in the order of their numbers.

import {
  createGreedySoup,
  createStudy,
  type GreedySoup,
  type Proposal,
  type Study,
  type StudySpec,
  type Values,
} from "@amalgam/optimizer";
import { AmalgamError } from "@amalgam/runtime";
import { type JobFacts, neededBefore } from "../job/facts.ts";
import { type JobState, objective } from "../job/state.ts";

export interface SearchDriver {
  /** Proposes trial `trial`, replaying the earlier ones first where this driver has not seen them. */
  propose(state: JobState, trial: number): { readonly coefficients: Record<string, number>; readonly origin: string };
  recommend(state: JobState): Recommended;
}

export interface Recommended {
  readonly trial: number;
  readonly values: Readonly<Record<string, number>>;
  /** What is believed of its score. */
  readonly mean: number;
  readonly standardDeviation: number;
  readonly probabilityBest?: number;
}

/** What proposes: a study of a box, or a soup of the models whose coefficients the dimensions are. */
export interface SearchSpec extends StudySpec {
  readonly strategy: "bayesian" | "greedy_soup";
}

/**
 * @param start points to try first, by coefficient name
 */
export function createSearchDriver(
  spec: SearchSpec,
  facts: Pick<JobFacts, "parallel" | "firstTrials" | "tasks">,
  start: readonly Readonly<Record<string, number>>[],
): SearchDriver {
  const study = spec.strategy === "greedy_soup" ? soupOf(spec) : studyOf(spec, start);
  /** Ids the study chose, by trial number. */
  const ids: number[] = [];
  let told = 0;

  const tellUpTo = (state: JobState, count: number): void => {
    for (; told < count; told++) {
      const { candidateId } = state.trials[told]!;
      const score = objective(state, candidateId, facts.tasks);
      if (score === undefined) study.fail(ids[told]!, state.failures.get(candidateId) ?? "not scored");
      else study.tell(ids[told]!, { values: [score.value], standardErrors: [score.standardError] });
    }
  };

  const ask = (state: JobState, trial: number): Proposal => {
    tellUpTo(state, neededBefore(trial, facts));
    const proposal = study.ask();
    ids.push(proposal.id);
    return proposal;
  };

  /** Replays trials this driver has not seen. What it proposes must be what the journal has, or it would tell scores of other points. */
  const catchUp = (state: JobState, count: number): void => {
    while (ids.length < count) {
      const trial = ids.length;
      const { values } = ask(state, trial);
      const { coefficients } = state.trials[trial]!;
      if (Object.entries(values).every(([name, value]) => coefficients[name] === value)) continue;
      throw new AmalgamError(
        "failed_precondition",
        `trial ${trial} of this job was proposed by another version of the optimizer; finish it with that version, or begin anew with --overwrite and another output`,
      );
    }
  };

  return {
    propose(state, trial) {
      catchUp(state, trial);
      const { values, origin } = ask(state, trial);
      return { coefficients: numbersOf(values), origin };
    },
    recommend(state) {
      catchUp(state, state.trials.length);
      tellUpTo(state, state.trials.length);
      const recommendation = study.recommend();
      if (recommendation === undefined) throw new Error("no trial has a score");
      const { id, ...rest } = recommendation;
      return { ...rest, trial: ids.indexOf(id) };
    },
  };
}

/** A recipe searches numbers only. */
const numbersOf = (values: Values): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));

interface Proposer extends Pick<Study, "ask" | "tell" | "fail"> {
  recommend(): (Omit<Recommended, "trial"> & { readonly id: number }) | undefined;
}

function studyOf(spec: StudySpec, start: readonly Readonly<Record<string, number>>[]): Proposer {
  const study = createStudy(spec);
  for (const point of start) study.enqueue(point);
  return {
    ...study,
    recommend() {
      const found = study.recommend();
      if (found === undefined) return undefined;
      const { id, values, mean, standardDeviation, probabilityBest } = found;
      return { id, values: numbersOf(values), mean, standardDeviation, probabilityBest };
    },
  };
}

function soupOf({ dimensions }: StudySpec): Proposer {
  const soup: GreedySoup = createGreedySoup(dimensions.map(({ name }) => name));
  return {
    ...soup,
    recommend() {
      const found = soup.recommend();
      if (found === undefined) return undefined;
      const { id, values, observed } = found;
      return {
        id,
        values: numbersOf(values),
        mean: observed.values[0]!,
        standardDeviation: observed.standardErrors?.[0] ?? 0,
      };
    },
  };
}
