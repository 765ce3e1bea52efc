/** Reads the `start` of a search: points to try first, which name every coefficient. */
import { coefficientNames } from "./coefficients.ts";
import type { Located } from "./located.ts";
import { listed, suggestion } from "./problems.ts";
import type { Reader } from "./reader.ts";
import type { Coefficient, RecipeModel } from "./types.ts";

export function readStart(
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
