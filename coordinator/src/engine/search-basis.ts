// From a recipe, and what the models score by themselves, to what the search is a function of. Pure.
import type { Objective } from "@amalgam/optimizer";
import type { Constraint, SearchBasis } from "../job/events.ts";
import type { JobFacts } from "../job/facts.ts";
import type { JobState } from "../job/state.ts";
import {
  type Recipe,
  type SearchConstraint,
  type SearchObjective,
  searchDimensions,
  searchStages,
} from "../recipe/index.ts";

/** The metrics of the study are the tasks. Experts must be scored where there are any. */
export function searchBasis(recipe: Recipe, facts: JobFacts, state: JobState): SearchBasis {
  const { search, seed } = recipe;
  if (search === undefined) throw new Error("the recipe has no search");
  const { tasks } = facts;
  const experts = expertScores(facts, state);
  const constraints = boundsOf(search.constraints, tasks, experts);
  const stages = searchStages(recipe);
  return {
    proposer: search.strategy === "greedy_soup" ? "greedy_soup" : "study",
    spec: {
      dimensions: searchDimensions(recipe),
      seed,
      ...(search.strategy === "bayesian" || search.strategy === "greedy_soup" ? {} : { strategy: search.strategy }),
      metrics: tasks,
      objective: objectiveOf(search.objective, tasks, experts),
      ...(constraints.length === 0 ? {} : { constraints }),
      ...(stages.length === 0 ? {} : { stages }),
      ...(search.initialTrials === undefined ? {} : { initialTrials: search.initialTrials }),
    },
    events: search.start.map((values) => ({ type: "enqueue", values })),
  };
}

/** By task, the accuracy of its expert: of all models that one which is best at it by itself. */
function expertScores({ tasks, experts = [] }: JobFacts, { scores }: JobState): number[] {
  return tasks.map((task) => Math.max(...experts.map(({ id }) => scores.get(id)!.get(task)!.accuracy)));
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
