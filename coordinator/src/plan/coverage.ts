/**
 * What each coefficient of a search covers. Nothing decides it twice: every coefficient is given its own number as its value, and the
 * tensors that a merge would give that value are the ones that it covers.
 */
import { layerPlace } from "@amalgam/checkpoint";
import {
  type Coefficient,
  coefficientNamesByModel,
  type Recipe,
  searchDimensions,
  variantWithCoefficients,
} from "../recipe/index.ts";
import { listed } from "../recipe/problems.ts";
import { partOf } from "./groups.ts";
import { parsedName, scalarReaders } from "./scalar-readers.ts";
import type { PlannedGroup, PlannedTensor, PlannedVariant } from "./types.ts";

export interface CoefficientCoverage {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly tensors: number;
  readonly parameters: number;
  /** First and last layer with one of the tensors; undefined where all lie outside of the layers. */
  readonly layers?: readonly [first: number, last: number];
  /** Tensors outside of the layers. */
  readonly outside: number;
}

export type CoveredTensor = Pick<
  PlannedTensor,
  "name" | "action" | "elements" | "depth" | "layer" | "part" | "group" | "inputNames"
>;

/** In the order of the search's dimensions; empty without a search. */
export function coefficientCoverage(
  recipe: Recipe,
  planned: PlannedVariant,
  tensors: readonly CoveredTensor[],
): CoefficientCoverage[] {
  const members = coveredTensors(recipe, planned, tensors);
  return searchDimensions(recipe).map(({ name, low, high }, index) => {
    const covered = members[index] as readonly CoveredTensor[];
    const layers = covered.map(({ layer }) => layer.index).filter((layer) => layer >= 0);
    const ends = layers.reduce<readonly [number, number] | undefined>(
      (range, layer) => [Math.min(range?.[0] ?? layer, layer), Math.max(range?.[1] ?? layer, layer)],
      undefined,
    );
    return {
      name,
      low,
      high,
      tensors: covered.length,
      parameters: covered.reduce((sum, { elements }) => sum + elements, 0),
      ...(ends === undefined ? {} : { layers: ends }),
      outside: covered.length - layers.length,
    };
  });
}

/** Coefficients that nothing depends on, and tensors that a coefficient's groups leave out. */
export function coverageProblems(recipe: Recipe, planned: PlannedVariant, tensors: readonly CoveredTensor[]): string[] {
  if (recipe.search === undefined) return [];
  const byCoefficient = coveredTensors(recipe, planned, tensors);
  const empty: { readonly name: string; readonly among: string }[] = [];
  let index = 0;
  for (const coefficient of recipe.search.coefficients) {
    for (const names of coefficientNamesByModel(coefficient, recipe.models)) {
      const members = byCoefficient.slice(index, index + names.length);
      index += names.length;
      const among = remedy(coefficient, members.flat());
      names.forEach((name, group) => {
        if (members[group]?.length === 0) empty.push({ name, among });
      });
    }
  }
  const lines = Map.groupBy(empty, ({ among }) => among)
    .entries()
    .map(([among, coefficients]) => {
      const names = coefficients.map(({ name }) => name);
      return `${listed(names)} ${names.length === 1 ? "covers" : "cover"} no tensor: ${among}`;
    });
  return [...lines, ...rangeProblems(recipe, tensors)];
}

/** The tensors that are there to be covered, and so what to write. */
function remedy({ parameter, layers, tensors: kinds }: Coefficient, covered: readonly CoveredTensor[]): string {
  if (covered.length === 0) return `\`${parameter}\` has no effect on what is merged here: do not search it`;
  const indices = covered.map(({ layer }) => layer.index).filter((index) => index >= 0);
  const there = [
    ...(layers === undefined
      ? []
      : [indices.length === 0 ? "there are no layers" : `there are ${rangesText(indices)}`]),
    ...(kinds === undefined ? [] : [`names have ${listed(kindsOf(covered))} in them`]),
  ];
  const all = kinds === undefined ? "" : ", or end `tensors` with a filter `*` where the kinds are all there is";
  return `${there.join(", and ")}: choose groups that have tensors${all}`;
}

const MOST_KINDS = 16;

/** What filters could be: what follows the layer's number in names, or names outside of the layers. */
function kindsOf(tensors: readonly CoveredTensor[]): string[] {
  const kinds = new Set(tensors.map(({ name }) => layerPlace(name)?.rest.slice(1).split(".")[0] ?? name));
  return [...kinds].slice(0, MOST_KINDS);
}

/** `layers 0-3 and 8-11`. */
function rangesText(indices: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const index of [...new Set(indices)].toSorted((a, b) => a - b)) {
    const open = ranges.at(-1);
    if (open !== undefined && index === open[1] + 1) open[1] = index;
    else ranges.push([index, index]);
  }
  const words = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return `layers ${words.join(" and ")}`;
}

function rangeProblems({ search }: Recipe, tensors: readonly CoveredTensor[]): string[] {
  const count = tensors.reduce((most, { layer }) => Math.max(most, layer.count), 0);
  return (search?.coefficients ?? []).flatMap(({ parameter, layers }) => {
    const last = typeof layers === "object" ? layers.at(-1) : undefined;
    if (last === undefined || last.end === count || count === 0) return [];
    return `the coefficient \`${parameter}\`: its \`layers\` end at ${last.end}, the merged model has ${count} layers: end the last range at ${count}`;
  });
}

function coveredTensors(
  recipe: Recipe,
  { variant, groups }: PlannedVariant,
  tensors: readonly CoveredTensor[],
): readonly (readonly CoveredTensor[])[] {
  const dimensions = searchDimensions(recipe);
  const searched = new Set(recipe.search?.coefficients.map(({ parameter }) => parameter));
  const numbers = Object.fromEntries(dimensions.map(({ name }, index) => [name, index]));
  const numbered = variantWithCoefficients(recipe, variant, numbers);
  const covered: CoveredTensor[][] = dimensions.map(() => []);
  const merged = tensors.filter(({ action }) => action === "merge");
  for (const members of Map.groupBy(merged, ({ part, group }) => `${part} ${group}`).values()) {
    const [{ part, group }] = members as [CoveredTensor];
    const readers = scalarReaders(groups[group] as PlannedGroup, partOf(numbered, part), recipe.seed).filter(
      ({ name }) => searched.has(parsedName(name).parameter),
    );
    for (const tensor of members) {
      const indices = new Set(readers.map(({ read }) => read(tensor)));
      for (const index of indices) if (index !== undefined) covered[index]?.push(tensor);
    }
  }
  return covered;
}
