// Trials of an Optuna study, from JSON. Optuna has no export format of its own; read are the trials as its FrozenTrial
// names their fields, and the rows of `study.trials_dataframe()`. README.md has the line of Python that writes them.

import { StudyError } from "../errors.ts";
import type { Dimension } from "../space/dimensions.ts";
import type { Failure } from "./events.ts";
import type { PastTrial } from "./warm-start.ts";

export interface OptunaOptions {
  /** Of each value of a trial. Needed where the file does not say; Optuna's own default, "minimize", is not assumed. */
  readonly directions?: readonly Direction[];
  /** Take failed trials as failures of their points. Off: Optuna also calls a trial failed when its process was killed. */
  readonly keepFailures?: boolean;
}

type Direction = "minimize" | "maximize";
type Json = Readonly<Record<string, unknown>>;

export interface OptunaTrials {
  /** Complete trials, scores turned so that larger is better; failed ones if they are kept. */
  readonly trials: readonly PastTrial[];
  /** Trials that say nothing about their point: running, waiting, pruned. */
  readonly skipped: readonly (Failure & { readonly source: string })[];
}

const states = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"];

/**
 * Reads `{"directions": [..], "trials": [..]}`, a list of trials, or a data frame by rows or by columns. Throws
 * StudyError for text that is none of these, for directions that are missing or do not fit, and for a trial with a
 * parameter outside its own distribution (parameters as Optuna stores them, instead of as the objective got them).
 */
export function readOptunaTrials(text: string, options: OptunaOptions = {}): OptunaTrials {
  const file = parse(text);
  const rows = rowsOf(file).map(trialOf);
  const directions = options.directions ?? directionsOf(file);
  const trials: PastTrial[] = [];
  const skipped: OptunaTrials["skipped"][number][] = [];
  for (const { number, state, values, params, distributions } of rows) {
    const source = `Optuna trial ${number}`;
    for (const [name, value] of Object.entries(params)) {
      if (Object.hasOwn(distributions, name)) checkDistribution(source, name, value, distributions[name]);
    }
    if (state === "COMPLETE") {
      if (values.length !== directions.length) {
        throw new StudyError(`${source} has ${values.length} values, but there are ${directions.length} directions`);
      }
      const scores = values.map((value, k) => (directions[k] === "maximize" ? value : -value));
      trials.push({ values: params, result: { values: scores }, source });
    } else if (state === "FAIL" && options.keepFailures) {
      trials.push({ values: params, result: { reason: "failed in Optuna" }, source });
    } else skipped.push({ source, reason: state.toLowerCase() });
  }
  return { trials, skipped };
}

/**
 * The dimensions that the trials were drawn from, each as wide as it ever was; a step is not kept. Throws StudyError if
 * the file has no distributions (a data frame has none), or one that a study cannot have.
 */
export function optunaDimensions(text: string): Dimension[] {
  const dimensions = new Map<string, Dimension>();
  for (const { distributions } of rowsOf(parse(text)).map(trialOf)) {
    for (const [name, distribution] of Object.entries(distributions)) {
      const dimension = dimensionOf(name, distribution);
      const before = dimensions.get(name);
      dimensions.set(name, before === undefined ? dimension : widened(before, dimension));
    }
  }
  if (dimensions.size === 0) throw new StudyError("the Optuna trials have no distributions: declare the dimensions");
  return [...dimensions.values()];
}

function dimensionOf(name: string, distribution: unknown): Dimension {
  const kind = isObject(distribution) ? distribution["name"] : undefined;
  const attributes = isObject(distribution) ? distribution["attributes"] : undefined;
  if (!isObject(attributes)) throw new StudyError(`the distribution of "${name}" is not one that Optuna writes`);
  const { low, high, log, choices } = attributes;
  const scale = log === true ? ({ scale: "log" } as const) : {};
  const isRange = typeof low === "number" && typeof high === "number";
  if (kind === "FloatDistribution" && isRange) return { name, kind: "float", low, high, ...scale };
  if (kind === "IntDistribution" && isRange) return { name, kind: "integer", low, high, ...scale };
  const areChoices =
    Array.isArray(choices) && choices.every((one) => typeof one === "string" || typeof one === "number");
  if (kind === "CategoricalDistribution" && areChoices) return { name, kind: "categorical", choices };
  throw new StudyError(`"${name}" has a distribution that a study cannot have: ${JSON.stringify(distribution)}`);
}

function widened(before: Dimension, after: Dimension): Dimension {
  const isRange = "low" in before && "low" in after && before.kind === after.kind;
  if (isRange) return { ...after, low: Math.min(before.low, after.low), high: Math.max(before.high, after.high) };
  if (JSON.stringify(before) === JSON.stringify(after)) return before;
  throw new StudyError(`"${before.name}" has two distributions that do not go together`);
}

interface OptunaTrial {
  readonly number: number;
  readonly state: string;
  readonly values: readonly number[];
  readonly params: Json;
  readonly distributions: Json;
}

/** Python writes NaN and Infinity into JSON as they are; outside of strings they become null, which is no number either. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Once more without them.
  }
  try {
    return JSON.parse(
      text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) => (found[0] === '"' ? found : "null")),
    );
  } catch (error) {
    throw new StudyError(`the Optuna trials are not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

function rowsOf(file: unknown): readonly Json[] {
  const rows = isObject(file) && Object.hasOwn(file, "trials") ? file["trials"] : file;
  if (Array.isArray(rows) && rows.every(isObject)) return rows;
  // A data frame by columns: {"number": {"0": 0, "1": 1}, "value": {..}, ..}
  if (isObject(rows) && isObject(rows["number"]) && Object.values(rows).every(isObject)) {
    const columns = Object.entries(rows as Readonly<Record<string, Json>>);
    return Object.keys(rows["number"]).map((row) =>
      Object.fromEntries(columns.map(([name, column]) => [name, column[row]])),
    );
  }
  throw new StudyError(
    "the Optuna trials must be a list of trials, an object with such a list as its trials, or a data frame",
  );
}

function directionsOf(file: unknown): Direction[] {
  const given = isObject(file)
    ? (file["directions"] ?? (file["direction"] === undefined ? undefined : [file["direction"]]))
    : undefined;
  if (!Array.isArray(given)) {
    throw new StudyError('the Optuna trials do not say which way is better: give directions, e.g. ["maximize"]');
  }
  return given.map((direction) => {
    const name = typeof direction === "string" ? direction.toLowerCase().replace("studydirection.", "") : direction;
    if (name !== "minimize" && name !== "maximize") {
      throw new StudyError(`the direction ${JSON.stringify(direction)} is not minimize or maximize`);
    }
    return name;
  });
}

/** A trial as FrozenTrial has it (or its attributes, with underscores), or as a row of a data frame has it. */
function trialOf(row: Json, index: number): OptunaTrial {
  const field = (name: string): unknown => row[name] ?? row[`_${name}`];
  /** What a data frame has in columns called `params_x`, `values_0`. */
  const columns = (prefix: string): [string, unknown][] =>
    Object.entries(row).flatMap(([name, value]) =>
      name.startsWith(prefix) && value !== null ? [[name.slice(prefix.length), value]] : [],
    );
  const number = field("number") ?? index;
  if (typeof number !== "number") throw new StudyError(`Optuna trial ${index} has no number`);
  const state = stateOf(field("state"));
  if (state === undefined)
    throw new StudyError(`Optuna trial ${number} has no state that Optuna has: ${states.join(", ")}`);
  const params = field("params");
  const distributions = field("distributions");
  const listed = field("values") ?? columns("values_").map(([, value]) => value);
  const values = Array.isArray(listed) && listed.length > 0 ? listed : [row["value"]];
  return {
    number,
    state,
    values: values.map((value) => (typeof value === "number" ? value : Number.NaN)),
    params: isObject(params) ? params : Object.fromEntries(columns("params_")),
    distributions: isObject(distributions) ? distributions : {},
  };
}

/** `"COMPLETE"`, `"TrialState.COMPLETE"` or 1. */
function stateOf(state: unknown): string | undefined {
  if (typeof state === "number") return states[state];
  if (typeof state !== "string") return undefined;
  return states.find((name) => name === state.toUpperCase().replace("TRIALSTATE.", ""));
}

/** `distribution` as `optuna.distributions.distribution_to_json` writes it; others are not judged. */
function checkDistribution(source: string, name: string, value: unknown, distribution: unknown): void {
  const attributes = isObject(distribution) ? distribution["attributes"] : undefined;
  if (!isObject(attributes)) return;
  const { choices, low, high } = attributes;
  const isInside = Array.isArray(choices)
    ? choices.includes(value)
    : typeof value === "number" && typeof low === "number" && typeof high === "number" && low <= value && value <= high;
  if (isInside) return;
  const range = JSON.stringify(choices ?? [low, high]);
  throw new StudyError(`${source}: ${name} is ${JSON.stringify(value)}, which its distribution ${range} does not have`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
