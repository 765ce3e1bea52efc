// A real number: one coordinate, linear in the value or in its logarithm.

import { StudyError } from "../../errors.ts";
import type { FloatDimension } from "../dimensions.ts";
import { checkRange, malformed, numberAt, type Part } from "./part.ts";

export function floatPart(dimension: FloatDimension): Part {
  checkRange(dimension);
  const { name, low, high, scale } = dimension;
  const isLog = scale === "log";
  if (isLog && !(low > 0 && Number.isFinite(high / low))) {
    throw malformed(dimension, `a log scale needs 0 < low and a finite ratio high/low, not [${low}, ${high}]`);
  }
  return {
    names: [name],
    steps: [0],
    centre: [0.5],
    check(values) {
      const value = numberAt(values, name);
      if (!(value >= low && value <= high)) {
        throw new StudyError(`value ${value} of dimension "${name}" is outside [${low}, ${high}]`);
      }
    },
    toUnit(values) {
      const value = numberAt(values, name);
      const unit = isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
      return [Math.min(1, Math.max(0, unit))];
    },
    toValues: (unit, at) => [valueAt(unit[at]!)],
    snap() {},
    spread() {},
    neighbours: () => [],
    gridSize: (levels) => BigInt(levels),
    gridPoint: (levels, index) => [Number(index) / (levels - 1)],
  };

  function valueAt(unit: number): number {
    // The ends are exact: low + (high - low) may round to a neighbour of high.
    if (unit <= 0) return low;
    if (unit >= 1) return high;
    const value = isLog ? low * Math.exp(unit * Math.log(high / low)) : low + unit * (high - low);
    return Math.min(high, Math.max(low, value));
  }
}
