// What a report shows, taken out of the job's view and the published recipe: trials, and the rows of the final table by kind.
// Pure; leaves out whatever depends on the cluster (workers, shards, job id, paths), so that equal searches have equal reports.
import type { CandidateView, JobView } from "@amalgam/proto";
import { BASE_ROW, parseRecipe } from "../recipe/index.ts";
import type { Analysis } from "./analysis.ts";
import type { Recommended } from "./history.ts";
import type { Estimate } from "./numbers.ts";
import { weightingText } from "./weighting.ts";

export type RowKind = "base" | "expert" | "fixed" | "searched";

/** One model of the final table. */
export interface Row {
  readonly kind: RowKind;
  readonly name: string;
  /** By task. Empty where the model failed. */
  readonly scores: ReadonlyMap<string, Estimate>;
  readonly mean: Estimate | undefined;
  /** The published model's mean minus this one's, by the items that both answered. */
  readonly published: Estimate | undefined;
  readonly problem: string;
}

export interface Trial {
  readonly number: number;
  readonly id: string;
  readonly origin: string;
  /** Of a search from coarse to fine; empty once every coefficient is searched. */
  readonly stage: string;
  readonly coefficients: Readonly<Record<string, number>>;
  readonly scores: ReadonlyMap<string, Estimate>;
  readonly objective: Estimate | undefined;
  /** Items that it was scored on, over all tasks. */
  readonly items: number;
  /** Of a trial that was given up: what it was compared with. */
  readonly lostRace: { readonly against: string; readonly difference: Estimate } | undefined;
  readonly problem: string;
  readonly isRecommended: boolean;
  /** What was believed of the best trial when this one was proposed. */
  readonly leader: { readonly mean: number; readonly low: number; readonly high: number } | undefined;
  /** Tasks whose score is below what a constraint asks. */
  readonly unmet: readonly string[];
}

/** The search alone. */
export interface SearchData {
  readonly method: string;
  readonly tasks: readonly string[];
  /** What the tasks measure, where all measure the same; else empty. */
  readonly metric: string;
  /** What is maximised, in words. */
  readonly objective: string;
  /** Why the search ended before its last trial; empty when it did not. */
  readonly stopped: string;
  readonly trials: readonly Trial[];
  readonly split: string;
  /** Names of the coefficients in the order of the recipe. */
  readonly coefficientNames: readonly string[];
  readonly recommended: Recommended;
}

export interface ReportData extends SearchData {
  /** Absent where the search has no model. */
  readonly analysis: Analysis | undefined;
  readonly models: number;
  /** Base, experts, fixed methods, and last the searched model. */
  readonly rows: readonly Row[];
  readonly searched: Row;
  readonly finalSplit: string;
  /** What the models are weighted by, in a sentence; empty where the method does not ask. */
  readonly weighting: string;
  /** Text of the recipe that gives the published model. */
  readonly recipe: string;
}

const KINDS: readonly RowKind[] = ["base", "expert", "fixed", "searched"];

export function searchData(view: JobView, recommended: Recommended): SearchData {
  const trials = view.candidates
    .filter(({ role }) => role === "trial")
    .map((candidate, number) => ({
      number,
      id: candidate.id,
      origin: candidate.origin,
      stage: candidate.stage,
      coefficients: candidate.coefficients,
      scores: scoresOf(candidate),
      objective: objectiveOf(view, candidate),
      items: candidate.scores.reduce((sum, { items }) => sum + items, 0),
      lostRace: lostRaceOf(view, candidate),
      problem: candidate.problem,
      isRecommended: candidate.id === recommended.candidateId,
      leader: candidate.leader?.probabilityBest === undefined ? undefined : candidate.leader,
      unmet: candidate.unmet,
    }));
  const split = splitOf(view.candidates.filter(({ role }) => role === "trial"));
  const coefficientNames = Object.keys(recommended.coefficients);
  const { method, tasks, metric, objective, stopped } = view;
  return { method, tasks, metric, objective, stopped, trials, split, coefficientNames, recommended };
}

/** @throws Error when the view has no final candidate, RecipeProblems when the recipe is none */
export function reportData(
  view: JobView,
  recommended: Recommended,
  recipeText: string,
  analysis?: Analysis,
): ReportData {
  const recipe = parseRecipe(recipeText, { fileName: "amalgam-recipe.yaml" });
  const unmerged = recipe.evaluate?.compare.some(({ kind }) => kind === "models") ? recipe.models : [];
  const experts = new Set(unmerged.map(({ name }) => name));
  const kindOf = ({ role, name }: CandidateView): RowKind => {
    if (role === "final") return "searched";
    if (experts.has(name)) return "expert";
    return unmerged.length > 0 && name === BASE_ROW ? "base" : "fixed";
  };
  const shown = view.candidates.filter(({ role }) => role === "comparison" || role === "final");
  const rows = shown
    .map((candidate) => ({
      kind: kindOf(candidate),
      name: candidate.name,
      scores: scoresOf(candidate),
      mean: objectiveOf(view, candidate),
      published: publishedOf(view, candidate),
      problem: candidate.problem,
    }))
    .toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
  const searched = rows.find(({ kind }) => kind === "searched");
  if (searched === undefined) throw new Error("a report needs the final model's scores");
  return {
    ...searchData(view, recommended),
    analysis,
    models: recipe.models.length,
    rows,
    searched,
    finalSplit: splitOf(shown),
    weighting: weightingText(view.importance?.estimate, recipe.fisher),
    recipe: recipeText,
  };
}

function scoresOf({ scores }: CandidateView): ReadonlyMap<string, Estimate> {
  return new Map(
    scores.map(({ task, metric, score, standardError }) => [task, { metric, value: score, standardError }]),
  );
}

function objectiveOf(
  { metric }: JobView,
  { state, objective, objectiveStandardError }: CandidateView,
): Estimate | undefined {
  return state === "scored" ? { metric, value: objective, standardError: objectiveStandardError } : undefined;
}

function lostRaceOf({ metric }: JobView, { lostRace }: CandidateView): Trial["lostRace"] {
  if (lostRace?.difference === undefined) return undefined;
  const { difference, standardError } = lostRace.difference;
  return { against: lostRace.against, difference: { metric, value: difference, standardError } };
}

const publishedOf = ({ metric }: JobView, { publishedMinusThis: paired }: CandidateView): Estimate | undefined =>
  paired && { metric, value: paired.difference, standardError: paired.standardError };

const splitOf = (candidates: readonly CandidateView[]): string =>
  candidates.flatMap(({ scores }) => scores)[0]?.split ?? "";

/** The row with the highest mean among those of a kind. */
export function bestRow(
  rows: readonly Row[],
  kinds: readonly RowKind[],
): (Row & { readonly mean: Estimate }) | undefined {
  let best: (Row & { readonly mean: Estimate }) | undefined;
  for (const row of rows) {
    const { kind, mean } = row;
    if (mean !== undefined && kinds.includes(kind) && (best === undefined || mean.value > best.mean.value)) {
      best = { ...row, mean };
    }
  }
  return best;
}
