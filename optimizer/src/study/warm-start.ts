// What earlier searches measured, carried into a study: of another space, with other names, by another optimiser.

import { StudyError } from "../errors.ts";
import { createSpace, type Space, type Values } from "../space/space.ts";
import type { Failure, Outcome } from "./events.ts";
import type { Study } from "./study.ts";

/** What was tried elsewhere and what came of it. */
export interface PastTrial {
  /** Whatever was chosen, by name; not of this study's space, and not checked. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly result: Outcome | Failure;
  /** Who measured it, e.g. `"study 3, trial 12"`. */
  readonly source: string;
}

export interface WarmStartOptions {
  /**
   * This study's name of what was called otherwise; null for a choice to leave aside because the score does not depend
   * on it. Names that are not here stay.
   */
  readonly rename?: Readonly<Record<string, string | null>>;
  /** Values of dimensions that the past trials did not have, e.g. 0 for the coefficient of a model that was not merged. */
  readonly fill?: Values;
  /**
   * How far the past scores may be off as scores of this study (other validation items, another base model): a standard
   * error added to their own. Default: 0.
   */
  readonly standardError?: number;
}

export interface WarmStart {
  /** Trials of this study, one for each past trial that was taken. */
  readonly added: readonly number[];
  /** Past trials that are no points of this study's space. */
  readonly dropped: readonly (Failure & { readonly source: string })[];
}

/**
 * Adds past trials to a study as observations. Those outside its space are left out and reported: a box is often
 * narrowed after a first search. Throws StudyError, before it adds any, if outcomes do not fit the study's metrics or an
 * option makes no sense.
 */
export function warmStart(study: Study, trials: readonly PastTrial[], options: WarmStartOptions = {}): WarmStart {
  const { rename = {}, fill = {}, standardError = 0 } = options;
  if (!(standardError >= 0 && Number.isFinite(standardError))) {
    throw new StudyError(`the standard error of past scores must be a finite number >= 0, not ${standardError}`);
  }
  const { dimensions, metrics = ["score"] } = study.spec;
  const space = createSpace(dimensions);
  const { names } = space;
  const strange = [...Object.values(rename), ...Object.keys(fill)].find(
    (name) => name !== null && !names.includes(name),
  );
  if (strange !== undefined) throw new StudyError(`"${strange}" is not a dimension of the study: ${names.join(", ")}`);
  for (const { result, source } of trials) {
    if ("reason" in result || result.values.length === metrics.length) continue;
    throw new StudyError(
      `${source} has ${result.values.length} values, the study ${metrics.length} metrics: ${metrics.join(", ")}`,
    );
  }

  const nameOf = (name: string): string | null => (Object.hasOwn(rename, name) ? rename[name]! : name);
  const added: number[] = [];
  const dropped: WarmStart["dropped"][number][] = [];
  for (const { values: chosen, result, source } of trials) {
    const renamed = Object.entries(chosen).map(([name, value]) => [nameOf(name), value] as const);
    const values = Object.fromEntries([
      ...Object.entries(fill),
      ...renamed.filter(([name]) => name !== null),
    ]) as Values;
    const reason = whyNot(space, values);
    if (reason === undefined) added.push(study.addObservation(values, discounted(result, standardError), source));
    else dropped.push({ source, reason });
  }
  return { added, dropped };
}

/**
 * The settled trials of a study. `metrics`, by default the study's own, chooses which of its metrics the outcomes have,
 * and in which order. Throws StudyError for a metric it did not measure.
 */
export function pastTrials(study: Study, name = "earlier study", metrics?: readonly string[]): PastTrial[] {
  const measured = study.spec.metrics ?? ["score"];
  const columns = (metrics ?? measured).map((metric) => measured.indexOf(metric));
  const missing = metrics?.[columns.indexOf(-1)];
  if (missing !== undefined) throw new StudyError(`${name} did not measure "${missing}" but ${measured.join(", ")}`);
  const pick = (numbers: readonly number[]): number[] => columns.map((column) => numbers[column]!);
  return study.trials().flatMap(({ id, values, outcome, reason, source = `${name}, trial ${id}` }): PastTrial[] => {
    if (reason !== undefined) return [{ values, result: { reason }, source }];
    if (outcome === undefined) return [];
    const { standardErrors, ...rest } = outcome;
    const errors = standardErrors && { standardErrors: pick(standardErrors) };
    return [{ values, result: { ...rest, values: pick(outcome.values), ...errors }, source }];
  });
}

function discounted(result: Outcome | Failure, standardError: number): Outcome | Failure {
  if ("reason" in result || standardError === 0) return result;
  const own = result.standardErrors ?? result.values.map(() => 0);
  return { ...result, standardErrors: own.map((error) => Math.hypot(error, standardError)) };
}

function whyNot(space: Space, values: Values): string | undefined {
  const strange = Object.keys(values).find(
    (name) => typeof values[name] !== "number" && typeof values[name] !== "string",
  );
  if (strange !== undefined) return `the value of "${strange}" is neither a number nor a string`;
  try {
    space.check(values);
    return undefined;
  } catch (error) {
    if (error instanceof StudyError) return error.message;
    throw error;
  }
}
