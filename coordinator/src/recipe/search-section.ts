/** Reads the `search:` section: how many trials, which coefficients between which bounds, and points to start from. */
import type { MergeMethod, NumberParameter } from "@amalgam/kernels";
import { greedySoupTrials } from "@amalgam/optimizer";
import { nearest } from "@amalgam/runtime";
import { coefficientNames } from "./coefficients.ts";
import type { Located } from "./located.ts";
import { boundsViolation } from "./methods.ts";
import { unknownParameter } from "./parameters.ts";
import { partsOf } from "./parts.ts";
import { listed, suggestion } from "./problems.ts";
import type { Entries, Reader } from "./reader.ts";
import type { Coefficient, MergeSettings, RecipeModel, SearchSection } from "./types.ts";

const DEFAULT_TRIALS = 30;
const DEFAULT_PARALLEL = 2;
const MAX_TRIALS = 100_000;
const MAX_PARALLEL = 256;
const SOUP_KEYS = ["strategy", "parallel"];

export function readSearch(
  reader: Reader,
  node: Located,
  method: MergeMethod,
  merge: MergeSettings,
): SearchSection | undefined {
  // `search:` alone asks for the defaults.
  const empty = node.kind === "scalar" && node.value === null;
  const strategy = empty ? "bayesian" : readStrategy(reader, node);
  const keys = strategy === "bayesian" ? ["strategy", "trials", "parallel", "coefficients", "start"] : SOUP_KEYS;
  const entries: Entries | undefined = empty ? new Map() : reader.map(node, "`search`", keys, explainKey(strategy));
  if (entries === undefined) return undefined;
  const integer = (key: string, fallback: number, high: number): number => {
    const entry = entries.get(key);
    if (entry === undefined) return fallback;
    return reader.number(entry.value, `\`${key}\``, { low: 1, high, integer: true }) ?? fallback;
  };
  if (strategy === "greedy_soup") {
    return readSoup(reader, node.line, method, merge, integer("parallel", DEFAULT_PARALLEL, MAX_PARALLEL));
  }
  const trials = integer("trials", DEFAULT_TRIALS, MAX_TRIALS);
  const parallel = integer("parallel", DEFAULT_PARALLEL, MAX_PARALLEL);
  const written = entries.get("coefficients");
  const coefficients =
    written === undefined
      ? defaultCoefficients(reader, node.line, method)
      : readCoefficients(reader, written.value, method);
  checkVaryingSettings(reader, node.line, coefficients, merge);
  const start = entries.get("start");
  const points =
    start === undefined || coefficients.length === 0 ? [] : readStart(reader, start.value, coefficients, merge.models);
  return { strategy, trials, parallel, coefficients, start: points };
}

function readStrategy(reader: Reader, node: Located): SearchSection["strategy"] {
  const written = node.kind === "map" ? node.entries.get("strategy")?.value : undefined;
  return (written && reader.choice(written, "`strategy`", ["bayesian", "greedy_soup"] as const)) ?? "bayesian";
}

const explainKey = (strategy: SearchSection["strategy"]) => (key: string) =>
  strategy === "greedy_soup" && ["trials", "coefficients", "start"].includes(key)
    ? `\`${key}\` says nothing to \`strategy: greedy_soup\`: it tries every model alone and then adds them one by one, with weight 1`
    : undefined;

/** A soup is the mean of the models in it: weights of 1 and 0, divided by their sum. */
function readSoup(
  reader: Reader,
  line: number,
  method: MergeMethod,
  merge: MergeSettings,
  parallel: number,
): SearchSection {
  const { weight, normalize } = method.parameters;
  const normalized = merge.parameters["normalize"] ?? normalize?.default;
  if (weight?.kind !== "number" || weight.scope !== "model" || normalize?.kind !== "boolean" || normalized !== true) {
    reader.fail(
      line,
      "a greedy soup averages models: it needs `merge_method: linear`, or another with `weight` and `normalize: true`",
    );
  }
  if (merge.models.length < 2) reader.fail(line, "a greedy soup needs at least two models");
  const coefficients = [{ parameter: "weight", per: "model", low: 0, high: 1, scale: "linear" }] as const;
  checkVaryingSettings(reader, line, coefficients, merge);
  return { strategy: "greedy_soup", trials: greedySoupTrials(merge.models.length), parallel, coefficients, start: [] };
}

function defaultCoefficients(reader: Reader, line: number, method: MergeMethod): Coefficient[] {
  const weight = Object.hasOwn(method.parameters, "weight") ? method.parameters["weight"] : undefined;
  if (weight?.kind === "number" && weight.scope === "model") {
    return [{ parameter: "weight", per: "model", low: 0, high: 1, scale: "linear" }];
  }
  const names = numericParameters(method);
  reader.fail(
    line,
    `\`search\` needs \`coefficients\`: which of ${listed(names)} to search, with \`low\` and \`high\``,
  );
  return [];
}

function readCoefficients(reader: Reader, node: Located, method: MergeMethod): Coefficient[] {
  if (node.kind !== "map" || node.entries.size === 0) {
    reader.fail(node.line, "`coefficients` must be a mapping of parameter names to `{low, high}`");
    return [];
  }
  const coefficients: Coefficient[] = [];
  for (const [written, { line, value }] of node.entries) {
    const known = Object.hasOwn(method.parameters, written) && method.parameters[written]?.ignored === undefined;
    const name = known ? written : nearest(written, numericParameters(method));
    if (!known) reader.fail(line, unknownParameter(written, method));
    const parameter = name === undefined ? undefined : method.parameters[name];
    // A misspelt name is read as the one that was meant, unless that is given too.
    if (name === undefined || parameter === undefined || (!known && node.entries.has(name))) continue;
    if (parameter.kind !== "number") {
      reader.fail(
        line,
        `\`${name}\` is not a number and cannot be searched (numbers: ${listed(numericParameters(method))})`,
      );
    } else {
      coefficients.push(readCoefficient(reader, value, name, parameter) ?? openCoefficient(name, parameter));
    }
  }
  return coefficients;
}

/** Stands for a coefficient that was refused: what else names it is not judged by its bounds. */
function openCoefficient(name: string, parameter: NumberParameter): Coefficient {
  const per = parameter.scope === "model" ? "model" : "recipe";
  return { parameter: name, per, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, scale: "linear" };
}

function readCoefficient(
  reader: Reader,
  node: Located,
  name: string,
  parameter: NumberParameter,
): Coefficient | undefined {
  const what = `the coefficient \`${name}\``;
  const entries = reader.map(node, what, ["per", "low", "high", "scale"]);
  if (entries === undefined) return undefined;
  const perNode = entries.get("per")?.value;
  const per =
    perNode === undefined
      ? parameter.scope === "model"
        ? "model"
        : "recipe"
      : reader.choice(perNode, `\`per\` of ${what}`, ["model", "recipe"] as const);
  if (per === "model" && parameter.scope === "global") {
    return reader.fail(node.line, `${what} is one number for the whole merge: use \`per: recipe\``);
  }
  const bound = (key: "low" | "high", fallback: number | undefined): number | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return fallback ?? reader.fail(node.line, `${what} needs \`${key}\``);
    const value = reader.number(entry.value, `\`${key}\` of ${what}`);
    const violation = value === undefined ? undefined : boundsViolation(parameter, value);
    return violation === undefined
      ? value
      : reader.fail(entry.line, `\`${key}\` of ${what} ${violation}, not ${value}`);
  };
  const low = bound("low", name === "weight" ? 0 : parameter.min);
  const high = bound("high", name === "weight" ? 1 : parameter.max);
  const scaleNode = entries.get("scale")?.value;
  const scale =
    scaleNode === undefined ? "linear" : reader.choice(scaleNode, `\`scale\` of ${what}`, ["linear", "log"] as const);
  if (per === undefined || low === undefined || high === undefined || scale === undefined) return undefined;
  if (low >= high) return reader.fail(node.line, `${what}: \`low\` (${low}) must be less than \`high\` (${high})`);
  if (scale === "log" && low <= 0) return reader.fail(node.line, `${what}: \`scale: log\` needs \`low\` above 0`);
  return { parameter: name, per, low, high, scale };
}

/** A number is where the search stands in for; filters and gradients would be lost, so they are refused. */
function checkVaryingSettings(
  reader: Reader,
  line: number,
  coefficients: readonly Coefficient[],
  merge: MergeSettings,
): void {
  for (const { parameter } of coefficients) {
    const parts = partsOf(merge, undefined);
    const levels = parts.flatMap((part) => [...part.levels, ...part.sources.map((source) => source.parameters)]);
    if (levels.some((settings) => Array.isArray(settings[parameter]))) {
      reader.fail(line, `\`${parameter}\` is searched and also varies over layers: remove one of the two`);
    }
  }
}

function readStart(
  reader: Reader,
  node: Located,
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
): Record<string, number>[] {
  const boxes = new Map<string, Coefficient>();
  for (const coefficient of coefficients) {
    for (const name of coefficientNames(coefficient, models)) boxes.set(name, coefficient);
  }
  const points: Record<string, number>[] = [];
  for (const item of reader.list(node, "`start`") ?? []) {
    if (item.kind !== "map") {
      reader.fail(item.line, "each item of `start` must be a mapping of coefficient names to numbers");
      continue;
    }
    const point: Record<string, number> = {};
    for (const [written, { line, value }] of item.entries) {
      const name = fullName(written, boxes);
      const box = boxes.get(name);
      if (box === undefined) {
        reader.fail(
          line,
          `unknown coefficient \`${written}\`${suggestion(written, boxes.keys())} (coefficients: ${listed(boxes.keys())})`,
        );
        continue;
      }
      const number = reader.number(value, `\`${name}\``, { low: box.low, high: box.high });
      if (number !== undefined) point[name] = number;
    }
    const missing = [...boxes.keys()].filter((name) => !Object.hasOwn(point, name));
    if (missing.length === 0) points.push(point);
    else if (item.entries.size < boxes.size)
      reader.fail(item.line, `a point of \`start\` needs every coefficient: add ${listed(missing)}`);
  }
  return points;
}

/** A model's name alone will do where only one parameter is searched per model. */
function fullName(written: string, names: ReadonlyMap<string, unknown>): string {
  if (names.has(written)) return written;
  const matches = [...names.keys()].filter((name) => name.endsWith(`[${written}]`));
  return matches.length === 1 ? (matches[0] as string) : written;
}

function numericParameters(method: MergeMethod): string[] {
  return Object.entries(method.parameters)
    .filter(([, parameter]) => parameter.kind === "number" && parameter.ignored === undefined)
    .map(([name]) => name);
}
