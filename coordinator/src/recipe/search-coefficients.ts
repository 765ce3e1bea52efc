/** Reads the `coefficients` of a search: which parameters are searched, between which bounds. */
import type { MergeMethod, NumberParameter } from "@amalgam/kernels";
import { nearest } from "@amalgam/runtime";
import type { Located } from "./located.ts";
import { boundsViolation } from "./methods.ts";
import { unknownParameter } from "./parameters.ts";
import { partsOf } from "./parts.ts";
import { listed } from "./problems.ts";
import type { Entries, Reader } from "./reader.ts";
import { readGroups } from "./search-groups.ts";
import type { Coefficient, MergeSettings } from "./types.ts";

export function defaultCoefficients(reader: Reader, line: number, method: MergeMethod): Coefficient[] {
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

export function readCoefficients(reader: Reader, node: Located, method: MergeMethod): Coefficient[] {
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
  const entries = reader.map(node, what, ["per", "simplex", ...FREE_KEYS]);
  if (entries === undefined) return undefined;
  const simplexEntry = entries.get("simplex");
  const isSimplex = simplexEntry && reader.boolean(simplexEntry.value, `\`simplex\` of ${what}`);
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
  if (isSimplex && per !== undefined) return readSimplex(reader, entries, name, parameter, per);
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
  const groups = readGroups(reader, entries, what, parameter);
  if (per === undefined || low === undefined || high === undefined || scale === undefined) return undefined;
  if (groups === undefined) return undefined;
  if (low >= high) return reader.fail(node.line, `${what}: \`low\` (${low}) must be less than \`high\` (${high})`);
  if (scale === "log" && low <= 0) return reader.fail(node.line, `${what}: \`scale: log\` needs \`low\` above 0`);
  return { parameter: name, per, ...groups, low, high, scale };
}

/** What says where each value lies by itself. */
const FREE_KEYS = ["layers", "outside", "tensors", "low", "high", "scale"];

/** Shares of a whole: the search then leaves out the common factor, which a method that divides by the sum does not see. */
function readSimplex(
  reader: Reader,
  entries: Entries,
  name: string,
  parameter: NumberParameter,
  per: Coefficient["per"],
): Coefficient | undefined {
  const { line } = entries.get("simplex")!;
  if (per !== "model" || boundsViolation(parameter, 0) !== undefined || boundsViolation(parameter, 1) !== undefined) {
    return reader.fail(line, `\`simplex\` is for a number of each model that may be from 0 to 1, not for \`${name}\``);
  }
  const other = FREE_KEYS.find((key) => entries.has(key));
  if (other !== undefined) {
    return reader.fail(
      entries.get(other)!.line,
      `\`${other}\` says nothing where \`simplex: true\` makes the values of all models add up to 1`,
    );
  }
  return { parameter: name, per, simplex: true, low: 0, high: 1, scale: "linear" };
}

/** A number is where the search stands in for; filters and gradients would be lost, so they are refused. */
export function checkVaryingSettings(
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

function numericParameters(method: MergeMethod): string[] {
  return Object.entries(method.parameters)
    .filter(([, parameter]) => parameter.kind === "number" && parameter.ignored === undefined)
    .map(([name]) => name);
}
