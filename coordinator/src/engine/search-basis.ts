// From a recipe, and what the models score by themselves, to what the search is a function of. Pure.
import { isDeepStrictEqual } from "node:util";
import {
  type Constraint,
  createStudy,
  largestGridLevels,
  type Objective,
  type PastTrial,
  type StudyEvent,
  type StudySpec,
  type Values,
  warmStart,
} from "@amalgam/optimizer";
import type { SearchBasis } from "../job/events.ts";
import type { JobFacts } from "../job/facts.ts";
import type { JobState } from "../job/state.ts";
import type { EarlierSearch } from "../plan/index.ts";
import {
  type Recipe,
  type SearchConstraint,
  type SearchObjective,
  type SearchSection,
  searchStages,
  studyDimensions,
} from "../recipe/index.ts";

/** The metrics of the study are the tasks. Experts must be scored where there are any. */
export function searchBasis(recipe: Recipe, facts: JobFacts, state: JobState, earlier?: EarlierSearch): SearchBasis {
  const { search, seed } = recipe;
  if (search === undefined) throw new Error("the recipe has no search");
  const { tasks } = facts;
  const dimensions = studyDimensions(recipe);
  const experts = expertScores(facts, state);
  const constraints = boundsOf(search.constraints, tasks, experts);
  const stages = searchStages(recipe);
  const spec: SearchBasis["spec"] = {
    dimensions,
    seed,
    ...strategyOf(search, dimensions),
    metrics: tasks,
    objective: objectiveOf(search.objective, tasks, experts),
    ...(constraints.length === 0 ? {} : { constraints }),
    ...(stages.length === 0 ? {} : { stages }),
    ...(search.initialTrials === undefined ? {} : { initialTrials: search.initialTrials }),
  };
  return {
    proposer: search.strategy === "greedy_soup" ? "greedy_soup" : "study",
    spec,
    events: firstEvents(spec, search.start, earlier?.trials ?? []),
    ...(earlier && { earlier: earlier.note }),
    stopsEarly: search.stop === "auto",
  };
}

/** A grid is as fine as all of its points can be tried. */
function strategyOf({ strategy, trials }: SearchSection, dimensions: StudySpec["dimensions"]): Partial<StudySpec> {
  if (strategy === "greedy_soup" || strategy === "bayesian") return {};
  return strategy === "grid" ? { strategy, gridLevels: largestGridLevels(dimensions, trials) } : { strategy };
}

/**
 * What an earlier search measured is known; but its best point is tried first, because what is recommended is a trial of this search.
 * Then come the points of the recipe.
 */
function firstEvents(spec: StudySpec, start: readonly Values[], earlier: readonly PastTrial[]): readonly StudyEvent[] {
  const past = createStudy(spec);
  warmStart(past, earlier);
  const known = past.trials();
  const highest = Math.max(...known.map(({ score }) => score?.value ?? Number.NEGATIVE_INFINITY));
  const best = known.find(({ score }) => score?.value === highest);
  const study = createStudy(spec);
  for (const { values, outcome, reason = "", source } of known) {
    if (!isDeepStrictEqual(values, best?.values)) study.addObservation(values, outcome ?? { reason }, source);
  }
  if (best !== undefined) study.enqueue(best.values);
  for (const values of start) study.enqueue(values);
  return study.events;
}

/** By task, the score of its expert: of all models that one which is best at it by itself. */
function expertScores({ tasks, experts = [] }: JobFacts, { scores }: JobState): number[] {
  return tasks.map((task) => Math.max(...experts.map(({ id }) => scores.get(id)!.get(task)!.score)));
}

function objectiveOf(
  { kind, weights, normalised }: SearchObjective,
  tasks: readonly string[],
  experts: readonly number[],
): Objective {
  const normalise = normalised ? { normalise: { experts } } : {};
  if (weights === undefined) return { kind, ...normalise };
  return { kind: "weighted", weights: tasks.map((task) => weights[task]!), ...normalise };
}

/** The strictest bound of each task that has one. */
function boundsOf(
  constraints: readonly SearchConstraint[],
  tasks: readonly string[],
  experts: readonly number[],
): Constraint[] {
  return tasks.flatMap((metric, index) => {
    const bounds = constraints
      .filter(({ task }) => task === undefined || task === metric)
      .map(({ kind, amount }) => (kind === "at_least" ? amount : experts[index]! - amount));
    return bounds.length === 0 ? [] : [{ metric, atLeast: Math.max(...bounds) }];
  });
}
