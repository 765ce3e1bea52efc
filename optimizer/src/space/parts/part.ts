// What one searched dimension is to a space: some coordinates of the unit cube, and the values they stand for. The
// arrays called `unit` are a whole point of the space [d]; a part's own coordinates begin at `at`.

import { StudyError } from "../../errors.ts";
import type { Dimension, Values } from "../dimensions.ts";

export interface Part {
  /** Names of its values: the dimension's, or those of the members of a simplex. */
  readonly names: readonly string[];
  /** Per coordinate the width of its widest bin; 0 where the coordinate is continuous. */
  readonly steps: readonly number[];
  /** The coordinates of the middle. Of choices, a point that favours none. */
  readonly centre: readonly number[];
  /** Throws StudyError unless its values, all present, are ones it can take. */
  check(values: Values): void;
  /** Its coordinates of checked values. */
  toUnit(values: Values): number[];
  /** The values, one for each name, of its coordinates, wherever these lie in [0, 1]. */
  toValues(unit: ArrayLike<number>, at: number): (number | string)[];
  /** Moves its coordinates to the ones that stand for their values, where several do. */
  snap(unit: Float64Array, at: number): void;
  /** Moves uniformly distributed coordinates so that the values are uniform. */
  spread(unit: Float64Array, at: number): void;
  /** Other coordinates it could have, near ones at least, where its values are discrete; else none. */
  neighbours(unit: ArrayLike<number>, at: number): number[][];
  /** Points of a grid with `levels` >= 2 on a line, and point `index` of it. Twice as many intervals keep all points. */
  gridSize(levels: number): bigint;
  gridPoint(levels: number, index: bigint): number[];
}

/** The error about a dimension's declaration. */
export function malformed({ name }: Dimension, rule: string): StudyError {
  return new StudyError(`dimension "${name}": ${rule}`);
}

/** The value named `name` as a number. Throws StudyError if it is something else. */
export function numberAt(values: Values, name: string): number {
  const value = values[name];
  if (typeof value === "number") return value;
  throw new StudyError(`value ${JSON.stringify(value)} of dimension "${name}" is not a number`);
}

/** Throws StudyError unless the range and scale of numbers make sense. */
export function checkRange(dimension: Dimension & { kind: "float" | "integer" }): void {
  const { low, high, scale } = dimension;
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw malformed(dimension, `the range [${low}, ${high}] must be finite`);
  }
  if (low > high) throw malformed(dimension, `low ${low} is above high ${high}`);
  if (!Number.isFinite(high - low)) throw malformed(dimension, `the range [${low}, ${high}] is too wide for a double`);
  if (scale !== undefined && scale !== "linear" && scale !== "log") {
    throw malformed(dimension, `scale must be "linear" or "log", not ${JSON.stringify(scale)}`);
  }
}
