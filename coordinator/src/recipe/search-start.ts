/** Reads the `start` of a search: points to try first, which name every coefficient, or the words for the usual ones. */
import type { MergeMethod } from "@amalgam/kernels";
import { coefficientNames, coefficientNamesByModel } from "./coefficients.ts";
import type { Located } from "./located.ts";
import { listed, suggestion } from "./problems.ts";
import type { Reader } from "./reader.ts";
import type { Coefficient, RecipeModel } from "./types.ts";

export function readStart(
  reader: Reader,
  node: Located,
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
  method: MergeMethod,
): Record<string, number>[] {
  const boxes = new Map<string, Coefficient>();
  for (const coefficient of coefficients) {
    for (const name of coefficientNames(coefficient, models)) boxes.set(name, coefficient);
  }
  const points: Record<string, number>[] = [];
  for (const item of reader.list(node, "`start`") ?? []) {
    if (item.kind !== "map") {
      const word = reader.choice(item, "an item of `start` that is a word", ["models", "average"] as const);
      if (word !== undefined) points.push(...namedPoints(reader, item.line, word, coefficients, models, method));
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
    checkShares(reader, item.line, point, coefficients, models);
    const missing = [...boxes.keys()].filter((name) => !Object.hasOwn(point, name));
    if (missing.length === 0) points.push(point);
    // What is missing may be what an unknown name was meant for.
    else if (known) reader.fail(item.line, `a point of \`start\` needs every coefficient: add ${listed(missing)}`);
  }
  return points;
}

function checkShares(
  reader: Reader,
  line: number,
  point: Readonly<Record<string, number>>,
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
): void {
  for (const coefficient of coefficients.filter(({ simplex }) => simplex === true)) {
    const sum = coefficientNames(coefficient, models).reduce((total, name) => total + (point[name] ?? Number.NaN), 0);
    if (Math.abs(sum - 1) > SUM_TOLERANCE) {
      reader.fail(line, `\`simplex\`: the values of \`${coefficient.parameter}\` add up to ${sum} here, and must to 1`);
    }
  }
}

/** As the optimizer allows for rounding. */
const SUM_TOLERANCE = 1e-9;

/** Every model by itself, or all with the same share: points of weights. What else is searched has its default, or the middle. */
function namedPoints(
  reader: Reader,
  line: number,
  word: "models" | "average",
  coefficients: readonly Coefficient[],
  models: readonly RecipeModel[],
  method: MergeMethod,
): Record<string, number>[] {
  const weight = coefficients.find(({ parameter, per }) => parameter === "weight" && per === "model");
  const share = 1 / models.length;
  const [least, most] = word === "models" ? [0, 1] : [share, share];
  if (weight === undefined || weight.low > least || weight.high < most) {
    const range = word === "models" ? "from 0 to 1" : `that reaches ${share.toPrecision(3)}`;
    reader.fail(
      line,
      `\`${word}\` in \`start\` is a point of weights: it needs the coefficient \`weight\` of each model, in a range ${range}`,
    );
    return [];
  }
  const names = coefficientNamesByModel(weight, models);
  const others = coefficients.filter((coefficient) => coefficient !== weight);
  const rest = others.flatMap((coefficient) =>
    coefficientNames(coefficient, models).map((name) => [name, usualValue(coefficient, method)] as const),
  );
  const point = (weightOf: (model: number) => number): Record<string, number> => {
    const weights = names.flatMap((ofModel, model) => ofModel.map((name) => [name, weightOf(model)] as const));
    return Object.fromEntries([...weights, ...rest]);
  };
  if (word === "average") return [point(() => share)];
  return models.map((_, alone) => point((model) => (model === alone ? 1 : 0)));
}

function usualValue({ parameter, low, high, scale }: Coefficient, { parameters }: MergeMethod): number {
  const definition = parameters[parameter];
  const usual = definition?.kind === "number" ? definition.default : undefined;
  if (usual !== undefined && usual >= low && usual <= high) return usual;
  return scale === "log" ? Math.sqrt(low * high) : (low + high) / 2;
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
