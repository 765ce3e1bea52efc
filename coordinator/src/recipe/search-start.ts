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
    const given: { readonly names: readonly string[]; readonly number: number }[] = [];
    let known = true;
    for (const [written, { line, value }] of item.entries) {
      const names = namedBy(written, boxes);
      const [first] = names;
      if (first === undefined) {
        reader.fail(
          line,
          `unknown coefficient \`${written}\`${suggestion(written, boxes.keys())} (coefficients: ${listed(boxes.keys())})`,
        );
        known = false;
        continue;
      }
      const number = reader.number(value, `\`${names.length === 1 ? first : written}\``, boxes.get(first));
      given.push({ names, number: number ?? Number.NaN });
    }
    // What names fewer says more: `weight[a]` after `weight`.
    const broadFirst = given.toSorted((a, b) => b.names.length - a.names.length);
    const point: Record<string, number> = {};
    for (const { names, number } of broadFirst) for (const name of names) point[name] = number;
    const missing = [...boxes.keys()].filter((name) => !Object.hasOwn(point, name));
    if (missing.length === 0) points.push(point);
    // What is missing may be what an unknown name was meant for.
    else if (known) reader.fail(item.line, `a point of \`start\` needs every coefficient: add ${listed(missing)}`);
  }
  return points;
}

/**
 * The coefficients that a name stands for: the one of that name, or all whose names it begins (`weight`, `weight[a]`). A model's name alone
 * will do where only one parameter is searched per model.
 */
function namedBy(written: string, names: ReadonlyMap<string, Coefficient>): string[] {
  const begins = (stem: string): string[] =>
    [...names.keys()].filter((name) => name === stem || name.startsWith(`${stem}[`));
  const named = begins(written);
  if (named.length > 0) return named;
  const parameters = new Set([...names.values()].map(({ parameter }) => parameter));
  const matches = [...parameters]
    .map((parameter) => begins(`${parameter}[${written}]`))
    .filter(({ length }) => length > 0);
  return matches.length === 1 ? (matches[0] as string[]) : [];
}
