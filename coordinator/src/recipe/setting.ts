/**
 * Parameter settings as mergekit has them: numbers, gradients over the layers, conditional lists; reading them from YAML, and resolving them
 * for one tensor. Filters are substring tests, the first match wins, and a list without a match falls through to the next level. Conditions on
 * layers are Amalgam's own.
 */
import { isInLayerSet, layerSetDocument, readLayerSet } from "./layer-sets.ts";
import type { LayerPlace } from "./layers.ts";
import type { Located, LocatedMap } from "./located.ts";
import type { Reader } from "./reader.ts";
import type { Condition, Conditional, Setting, SettingValue } from "./types.ts";

/** Where a tensor lies, for filters (name), gradients (depth t in [0, 1]) and conditions on layers. */
export interface TensorPlace {
  readonly name: string;
  readonly depth: number;
  readonly layer: LayerPlace;
}

/** Range check of one number; the message of a violation, or undefined. */
export type NumberCheck = (value: number) => string | undefined;

/** Reads a numeric setting in any of its forms. */
export function readNumericSetting(
  reader: Reader,
  node: Located,
  what: string,
  check: NumberCheck,
): SettingValue | readonly Conditional[] | undefined {
  if (node.kind === "map") {
    return reader.fail(node.line, `${what}: a conditional setting is a list: put \`-\` before \`value\``);
  }
  if (node.kind === "list" && node.items.length > 0 && node.items.every((item) => item.kind === "map")) {
    const conditionals: Conditional[] = [];
    for (const item of node.items) {
      const conditional = readConditional(reader, item as LocatedMap, what, check);
      if (conditional !== undefined) conditionals.push(conditional);
    }
    return conditionals.length === node.items.length ? conditionals : undefined;
  }
  return readValue(reader, node, what, check);
}

function readConditional(reader: Reader, node: LocatedMap, what: string, check: NumberCheck): Conditional | undefined {
  const entries = reader.map(node, what, ["value", "filter", "layers"]);
  const valueEntry = entries && reader.required(entries, "value", node.line, `each item of ${what}`);
  const value = valueEntry && readValue(reader, valueEntry.value, what, check);
  const before = reader.problems.length;
  const given = (key: "filter" | "layers"): Located | undefined => {
    const found = entries?.get(key)?.value;
    return found?.kind === "scalar" && found.value === null ? undefined : found;
  };
  const filterNode = given("filter");
  const layersNode = given("layers");
  const filter = filterNode && reader.text(filterNode, `\`filter\` of ${what}`);
  const layers = layersNode && readLayerSet(reader, layersNode, `\`layers\` of ${what}`);
  if (value === undefined || reader.problems.length > before) return undefined;
  return { value, ...(filter === undefined ? {} : { filter }), ...(layers === undefined ? {} : { layers }) };
}

function readValue(reader: Reader, node: Located, what: string, check: NumberCheck): SettingValue | undefined {
  if (node.kind !== "list") return readNumber(reader, node, what, check);
  if (node.items.length === 0) return reader.fail(node.line, `${what} is an empty list: give at least one number`);
  const values = node.items.map((item) => readNumber(reader, item, `each number of ${what}`, check));
  return values.every((value) => value !== undefined) ? values : undefined;
}

function readNumber(reader: Reader, node: Located, what: string, check: NumberCheck): number | undefined {
  const value = reader.number(node, what);
  const violation = value === undefined ? undefined : check(value);
  return violation === undefined ? value : reader.fail(node.line, `${what} ${violation}, not ${value}`);
}

/** The number that a setting has for one tensor, or undefined when none of its filters matches. */
export function resolveNumber(setting: Setting, tensor: TensorPlace): number | undefined {
  if (typeof setting === "number") return setting;
  if (!Array.isArray(setting)) return undefined;
  const [first] = setting;
  if (typeof first === "number") return interpolate(setting as readonly number[], tensor.depth);
  for (const conditional of setting as readonly Conditional[]) {
    if (holds(conditional, tensor)) return resolveNumber(conditional.value, tensor);
  }
  return undefined;
}

function holds({ filter, layers }: Condition, { name, layer }: TensorPlace): boolean {
  if (filter !== undefined && filter !== "*" && !name.includes(filter)) return false;
  return layers === undefined || isInLayerSet(layers, layer);
}

/** The setting as a recipe writes it. */
export function settingDocument(setting: Setting): unknown {
  if (!Array.isArray(setting) || typeof setting[0] === "number") return setting;
  return (setting as readonly Conditional[]).map(({ layers, ...rest }) =>
    layers === undefined ? rest : { layers: layerSetDocument(layers), ...rest },
  );
}

/** Piecewise linear over the list, as mergekit's `evaluate_setting`. */
function interpolate(gradient: readonly number[], depth: number): number {
  const position = depth * (gradient.length - 1);
  const left = Math.min(Math.floor(position), gradient.length - 1);
  const right = Math.min(left + 1, gradient.length - 1);
  const fraction = position - left;
  return (1 - fraction) * (gradient[left] as number) + fraction * (gradient[right] as number);
}
