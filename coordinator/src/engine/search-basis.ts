// From a recipe to what its search is a function of. Pure.
import type { SearchBasis } from "../job/events.ts";
import { type Recipe, searchDimensions } from "../recipe/index.ts";

/** @param tasks their names: the metrics of the study */
export function searchBasis(recipe: Recipe, tasks: readonly string[]): SearchBasis {
  const { search, seed } = recipe;
  if (search === undefined) throw new Error("the recipe has no search");
  return {
    proposer: search.strategy === "greedy_soup" ? "greedy_soup" : "study",
    spec: { dimensions: searchDimensions(recipe), seed, metrics: tasks },
    events: search.start.map((values) => ({ type: "enqueue", values })),
  };
}
