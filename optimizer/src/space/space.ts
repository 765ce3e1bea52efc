// The search space and its map to the unit cube [0,1]^d the model works in. Dimensions with one value only are fixed:
// they appear in every proposal and take no part in the search. The others are parts of one or several coordinates.

import { StudyError } from "../errors.ts";
import type { Dimension, Values } from "./dimensions.ts";
import { categoricalPart } from "./parts/categorical.ts";
import { floatPart } from "./parts/float.ts";
import { integerPart } from "./parts/integer.ts";
import { malformed, type Part } from "./parts/part.ts";
import { simplexPart } from "./parts/simplex.ts";

export type { Dimension, Values } from "./dimensions.ts";

/** A searched dimension: the coordinates [from, to) of the unit cube. */
export interface Group extends Pick<Part, "gridSize" | "gridPoint"> {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Snapped points that differ from `unit` [d] in this dimension alone; none where it is continuous. */
  neighbours(unit: Float64Array): Float64Array[];
}

export interface Space {
  /** The names of a point's values: of the dimensions, of a simplex its members. */
  readonly names: readonly string[];
  /** The number of unit coordinates. */
  readonly size: number;
  /** The searched dimensions, in the order of their coordinates. */
  readonly groups: readonly Group[];
  /** Per coordinate the width of its widest bin; 0 where the coordinate is continuous. */
  readonly steps: readonly number[];
  /** [d] the middle of the space: of weights that sum to 1, equal ones; to be snapped before use. */
  readonly centre: readonly number[];
  /** All searched dimensions share one kind, range and scale, so "the same value everywhere" is a line in the space. */
  readonly hasSharedRange: boolean;
  /** Throws StudyError unless `values` has exactly the space's names, each with a value it can take. */
  check(values: Values): void;
  /** Unit coordinates [d] of checked values. */
  toUnit(values: Values): Float64Array;
  /** Values of unit coordinates [d]; always in the space. */
  toValues(unit: ArrayLike<number>): Values;
  /** Moves `unit` [d] in place to the one point that stands for its values. */
  snap(unit: Float64Array): void;
  /** Moves `unit` [d], uniform in the cube, in place to a snapped point, uniform in the space. */
  spread(unit: Float64Array): void;
}

/** Throws StudyError when a dimension is malformed, a name repeats, or nothing is left to search. */
export function createSpace(dimensions: readonly Dimension[]): Space {
  const places = placesOf(dimensions);
  const parts = places.filter((place) => "part" in place);
  if (parts.length === 0) {
    throw new StudyError("no dimension to search: give at least one with low < high, several choices or a simplex");
  }
  const steps = parts.flatMap(({ part }) => part.steps);
  const names = new Set(places.flatMap((place) => ("part" in place ? place.part.names : [place.name])));

  const snap = (unit: Float64Array): void => {
    for (const { part, at } of parts) part.snap(unit, at);
  };
  return {
    names: [...names],
    size: steps.length,
    groups: parts.map(({ name, part, at }) => ({
      name,
      from: at,
      to: at + part.steps.length,
      neighbours: (unit) =>
        part.neighbours(unit, at).map((coordinates) => {
          const other = unit.slice();
          other.set(coordinates, at);
          return other;
        }),
      gridSize: part.gridSize,
      gridPoint: part.gridPoint,
    })),
    steps,
    centre: parts.flatMap(({ part }) => part.centre),
    hasSharedRange: haveSharedRange(dimensions.filter(({ name }) => parts.some((place) => place.name === name))),
    check(values) {
      for (const name of Object.keys(values)) {
        if (!names.has(name)) {
          throw new StudyError(`unknown dimension "${name}"; the study has ${[...names].join(", ")}`);
        }
      }
      for (const name of names) {
        if (!Object.hasOwn(values, name)) throw new StudyError(`no value for dimension "${name}"`);
      }
      for (const place of places) {
        if ("part" in place) place.part.check(values);
        else if (values[place.name] !== place.value) {
          const [given, only] = [values[place.name], place.value].map((value) => JSON.stringify(value));
          throw new StudyError(`value ${given} of dimension "${place.name}" must be ${only}: it is fixed`);
        }
      }
    },
    toUnit: (values) => Float64Array.from(parts.flatMap(({ part }) => part.toUnit(values))),
    toValues(unit) {
      // Entries, since a name may be one that objects inherit.
      const entries = places.flatMap((place) => {
        if (!("part" in place)) return [[place.name, place.value]];
        return place.part.toValues(unit, place.at).map((value, k) => [place.part.names[k]!, value]);
      });
      return Object.fromEntries(entries) as Values;
    },
    snap,
    spread(unit) {
      for (const { part, at } of parts) part.spread(unit, at);
      snap(unit);
    },
  };
}

type Place =
  | { readonly name: string; readonly value: number | string }
  | { readonly name: string; readonly part: Part; readonly at: number };

/** Checks the dimensions and gives each its coordinates, or its value if there is only one. */
function placesOf(dimensions: readonly Dimension[]): Place[] {
  const taken = new Set<string>();
  let at = 0;
  return dimensions.map((dimension) => {
    const { name } = dimension;
    if (typeof name !== "string" || name === "") throw new StudyError("every dimension needs a non-empty name");
    const part = partOf(dimension);
    for (const one of [name, ...(dimension.kind === "simplex" ? dimension.members : [])]) {
      if (taken.has(one)) throw new StudyError(`the name "${one}" is declared twice: names of dimensions must differ`);
      taken.add(one);
    }
    const value = onlyValue(dimension);
    if (part === undefined || value !== undefined) return { name, value: value! };
    at += part.steps.length;
    return { name, part, at: at - part.steps.length };
  });
}

/** Undefined for a fixed value. Throws StudyError when the dimension is malformed. */
function partOf(dimension: Dimension): Part | undefined {
  switch (dimension.kind) {
    case "float":
      return floatPart(dimension);
    case "integer":
      return integerPart(dimension);
    case "categorical":
      return categoricalPart(dimension);
    case "simplex":
      return simplexPart(dimension);
    case "fixed":
      if (typeof dimension.value === "string" || Number.isFinite(dimension.value)) return undefined;
      throw malformed(dimension, `a fixed value must be a string or a finite number, not ${dimension.value}`);
    default:
      throw malformed(
        dimension,
        `kind must be "float", "integer", "categorical", "simplex" or "fixed", not "${(dimension satisfies never as Dimension).kind}"`,
      );
  }
}

/** The value that every point has, if there is only one. */
function onlyValue(dimension: Dimension): number | string | undefined {
  if (dimension.kind === "fixed") return dimension.value;
  if (dimension.kind === "simplex") return undefined;
  if (dimension.kind === "categorical") return dimension.choices.length === 1 ? dimension.choices[0] : undefined;
  return dimension.low === dimension.high ? dimension.low : undefined;
}

function haveSharedRange(searched: readonly Dimension[]): boolean {
  const rangeOf = (dimension: Dimension): string | undefined =>
    dimension.kind === "float" || dimension.kind === "integer"
      ? [dimension.kind, dimension.low, dimension.high, dimension.scale ?? "linear"].join()
      : undefined;
  const ranges = new Set(searched.map(rangeOf));
  return ranges.size === 1 && !ranges.has(undefined);
}
