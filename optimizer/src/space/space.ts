// The search space and its map to the unit cube [0,1]^d the model works in. A dimension with low === high is
// fixed: it appears in every proposal and takes no part in the search. Integers own equal bins of [0,1] and sit
// at the centres of their bins, so the model only ever sees points that can be evaluated.

import { StudyError } from "../errors.ts";

/** A real parameter in [low, high]; `scale: "log"` (low > 0) makes equal ratios equally far apart. */
export interface FloatDimension {
  readonly name: string;
  readonly kind: "float";
  readonly low: number;
  readonly high: number;
  readonly scale?: "linear" | "log";
}

/** A whole number in [low, high], both ends included. */
export interface IntegerDimension {
  readonly name: string;
  readonly kind: "integer";
  readonly low: number;
  readonly high: number;
}

export type Dimension = FloatDimension | IntegerDimension;

/** One point of the space: a value for every dimension, by name. */
export type Values = Readonly<Record<string, number>>;

export interface Space {
  /** Names of the dimensions that are searched, in the order of unit coordinates. */
  readonly freeNames: readonly string[];
  /** How many dimensions are searched. */
  readonly size: number;
  /** Per searched dimension: does it take whole numbers only? */
  readonly isInteger: readonly boolean[];
  /** All searched dimensions share one kind, range and scale, so "the same value everywhere" is a line in the space. */
  readonly hasSharedRange: boolean;
  /** Throws StudyError unless `values` has exactly the space's names, each inside its range. */
  check(values: Values): void;
  /** Unit coordinates [size] of checked values. */
  toUnit(values: Values): Float64Array;
  /** Values of unit coordinates [size]; always inside the ranges. */
  toValues(unit: ArrayLike<number>): Values;
  /** Moves integer coordinates of `unit` [size] to the centre of their bin, in place. */
  snap(unit: Float64Array): void;
}

/** Throws StudyError when a dimension is malformed, a name repeats, or nothing is left to search. */
export function createSpace(dimensions: readonly Dimension[]): Space {
  const names = new Set<string>();
  for (const dimension of dimensions) {
    checkDimension(dimension);
    if (names.has(dimension.name)) throw new StudyError(`dimension "${dimension.name}" is declared twice`);
    names.add(dimension.name);
  }
  const free = dimensions.filter((dimension) => dimension.low < dimension.high);
  const first = free[0];
  if (first === undefined) throw new StudyError("no dimension to search: give at least one with low < high");
  return {
    freeNames: free.map((dimension) => dimension.name),
    size: free.length,
    isInteger: free.map((dimension) => dimension.kind === "integer"),
    hasSharedRange: free.every(
      (other) =>
        other.kind === first.kind &&
        other.low === first.low &&
        other.high === first.high &&
        isLog(other) === isLog(first),
    ),
    check(values) {
      for (const name of Object.keys(values)) {
        if (!names.has(name)) {
          throw new StudyError(`unknown dimension "${name}"; the study has ${[...names].join(", ")}`);
        }
      }
      for (const dimension of dimensions) checkValue(dimension, values);
    },
    toUnit: (values) => Float64Array.from(free, (dimension) => unitAt(dimension, values[dimension.name]!)),
    toValues(unit) {
      let next = 0;
      return Object.fromEntries(
        dimensions.map((dimension) => [
          dimension.name,
          dimension.low < dimension.high ? valueAt(dimension, unit[next++]!) : dimension.low,
        ]),
      );
    },
    snap(unit) {
      for (const [index, dimension] of free.entries()) {
        if (dimension.kind === "integer") unit[index] = unitAt(dimension, valueAt(dimension, unit[index]!));
      }
    },
  };
}

function isLog(dimension: Dimension): boolean {
  return dimension.kind === "float" && dimension.scale === "log";
}

function unitAt(dimension: Dimension, value: number): number {
  const { low, high } = dimension;
  if (dimension.kind === "integer") return (value - low + 0.5) / (high - low + 1);
  const unit = isLog(dimension) ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(1, Math.max(0, unit));
}

function valueAt(dimension: Dimension, unit: number): number {
  const { low, high } = dimension;
  if (dimension.kind === "integer") {
    return Math.min(high, Math.max(low, low + Math.floor(unit * (high - low + 1))));
  }
  // The ends are exact: low + (high - low) may round to a neighbour of high.
  if (unit <= 0) return low;
  if (unit >= 1) return high;
  const value = isLog(dimension) ? low * Math.exp(unit * Math.log(high / low)) : low + unit * (high - low);
  return Math.min(high, Math.max(low, value));
}

function checkDimension(dimension: Dimension): void {
  const { name, kind, low, high } = dimension;
  const refuse = (rule: string): never => {
    throw new StudyError(`dimension "${name}": ${rule}`);
  };
  if (typeof name !== "string" || name === "") throw new StudyError("every dimension needs a non-empty name");
  if (kind !== "float" && kind !== "integer") refuse(`kind must be "float" or "integer", not "${String(kind)}"`);
  if (!Number.isFinite(low) || !Number.isFinite(high)) refuse(`the range [${low}, ${high}] must be finite`);
  if (low > high) refuse(`low ${low} is above high ${high}`);
  if (!Number.isFinite(high - low)) refuse(`the range [${low}, ${high}] is too wide for a double`);
  if (kind === "integer" && !(Number.isSafeInteger(low) && Number.isSafeInteger(high))) {
    refuse(`an integer range needs whole ends, not [${low}, ${high}]`);
  }
  if (isLog(dimension) && !(low > 0 && Number.isFinite(high / low))) {
    refuse(`a log scale needs 0 < low and a finite ratio high/low, not [${low}, ${high}]`);
  }
}

function checkValue(dimension: Dimension, values: Values): void {
  const { name, low, high } = dimension;
  if (!Object.hasOwn(values, name)) throw new StudyError(`no value for dimension "${name}"`);
  const value = values[name]!;
  // Values may come from files: "1" and null compare as numbers and are none.
  if (typeof value !== "number" || !(value >= low && value <= high)) {
    throw new StudyError(`value ${value} of dimension "${name}" is outside [${low}, ${high}]`);
  }
  if (dimension.kind === "integer" && !Number.isInteger(value)) {
    throw new StudyError(`value ${value} of integer dimension "${name}" is not whole`);
  }
}
