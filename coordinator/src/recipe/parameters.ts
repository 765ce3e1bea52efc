/** Reads `parameters:` mappings and holds them to the method's own list: names, kinds, bounds, and what must be given. */
import type { MergeMethod, NumberParameter, Parameter } from "@amalgam/kernels";
import { nearest } from "@amalgam/runtime";
import type { Located } from "./located.ts";
import { boundsViolation } from "./methods.ts";
import { listed, suggestion } from "./problems.ts";
import type { Reader } from "./reader.ts";
import { readNumericSetting } from "./setting.ts";
import type { Conditional, Setting, Settings } from "./types.ts";

/** Where a mapping stands: at the top level of a merge, or under one model. */
export type ParameterLevel = "merge" | "model";

/** Stands for a value that was refused: it is not missing as well. The recipe is refused too, so nothing computes with it. */
export const REFUSED: number = Number.NaN;

/** Reads one `parameters:` mapping. `where` names it in errors, e.g. "the parameters of model `a`". */
export function readParameters(
  reader: Reader,
  node: Located,
  method: MergeMethod,
  level: ParameterLevel,
  where: string,
): Settings {
  if (node.kind === "scalar" && node.value === null) return {};
  if (node.kind !== "map") {
    reader.fail(node.line, `${where} must be a mapping of parameter names to values`);
    return Object.fromEntries(Object.keys(method.parameters).map((name) => [name, REFUSED]));
  }
  const settings: Record<string, Setting> = {};
  for (const [written, { line, value }] of node.entries) {
    const name = Object.hasOwn(method.parameters, written) ? written : nearest(written, parameterNames(method));
    if (name !== written) reader.fail(line, unknownParameter(written, method));
    const parameter = name === undefined ? undefined : method.parameters[name];
    // A misspelt name is read as the one that was meant, unless that is given too.
    if (name === undefined || parameter === undefined || (name !== written && node.entries.has(name))) continue;
    if (level === "model" && parameter.scope === "global") {
      reader.fail(line, `\`${name}\` is a parameter of the whole merge: put it under the top-level \`parameters\``);
      settings[name] = REFUSED;
    } else {
      const setting = readSetting(reader, value, name, parameter);
      if (parameter.ignored === undefined) settings[name] = setting ?? REFUSED;
    }
  }
  return settings;
}

/** Message for a name that is no parameter of the method. */
export function unknownParameter(name: string, method: MergeMethod): string {
  const names = parameterNames(method);
  const list = names.length === 0 ? "it has none" : `parameters: ${listed(names)}`;
  return `method \`${method.name}\` has no parameter \`${name}\`${suggestion(name, names)} (${list})`;
}

function parameterNames(method: MergeMethod): string[] {
  return Object.keys(method.parameters).filter((key) => method.parameters[key]?.ignored === undefined);
}

function readSetting(reader: Reader, node: Located, name: string, parameter: Parameter): Setting | undefined {
  const what = `\`${name}\``;
  if (parameter.kind === "number") return readNumber(reader, node, what, parameter);
  if (node.kind !== "scalar") {
    return reader.fail(node.line, `${what} must be one value for the whole merge: it cannot vary over tensors`);
  }
  if (parameter.kind === "enum") return reader.choice(node, what, parameter.choices);
  // mergekit reads YAML booleans as numbers, and recipes use either.
  if (node.value === true || node.value === 1) return true;
  if (node.value === false || node.value === 0) return false;
  return reader.fail(node.line, `${what} must be true or false`);
}

function readNumber(
  reader: Reader,
  node: Located,
  what: string,
  parameter: NumberParameter,
): number | readonly number[] | readonly Conditional[] | undefined {
  if (parameter.constant && node.kind !== "scalar") {
    const why = "a statistic over the whole model depends on it";
    return reader.fail(node.line, `${what} must have one value for all tensors: ${why}`);
  }
  return readNumericSetting(reader, node, what, (value) => boundsViolation(parameter, value));
}
