// A whole number: one coordinate in which every number owns a bin and sits at its centre, so that the model sees only
// points that can be evaluated. Bins are equal, or as wide as [v - 1/2, v + 1/2] is on a log scale.

import { StudyError } from "../../errors.ts";
import type { IntegerDimension } from "../dimensions.ts";
import { checkRange, malformed, numberAt, type Part } from "./part.ts";

/** More numbers than this are not told apart for certain by a coordinate that is a double. */
const mostNumbers = 2 ** 40;
/** Up to so many numbers, all others are neighbours of one. */
const fewNumbers = 16;

export function integerPart(dimension: IntegerDimension): Part {
  checkRange(dimension);
  const { name, low, high, scale } = dimension;
  const isLog = scale === "log";
  if (!(Number.isSafeInteger(low) && Number.isSafeInteger(high))) {
    throw malformed(dimension, `an integer range needs whole ends, not [${low}, ${high}]`);
  }
  if (isLog && low < 1) throw malformed(dimension, `a log scale of whole numbers needs low >= 1, not ${low}`);
  const count = high - low + 1;
  if (count > mostNumbers || (isLog && high > mostNumbers)) {
    throw malformed(dimension, `[${low}, ${high}] holds too many whole numbers: at most 2^40, use a float dimension`);
  }
  const logLow = Math.log(low - 0.5);
  const logSpan = Math.log(high + 0.5) - logLow;
  const unitAt = (value: number): number =>
    isLog ? (0.5 * Math.log(value * value - 0.25) - logLow) / logSpan : (value - low + 0.5) / count;
  const valueAt = (unit: number): number => {
    const value = isLog ? Math.round(Math.exp(logLow + unit * logSpan)) : low + Math.floor(unit * count);
    return Math.min(high, Math.max(low, value));
  };
  const neighbourValues = (value: number): number[] => {
    if (count <= fewNumbers) {
      return Array.from({ length: count }, (_, k) => low + k).filter((other) => other !== value);
    }
    const near: number[] = [];
    for (let step = 1; step < count; step *= 2) near.push(value - step, value + step);
    return near.filter((other) => other >= low && other <= high);
  };
  return {
    names: [name],
    steps: [isLog ? Math.log((low + 0.5) / (low - 0.5)) / logSpan : 1 / count],
    centre: [0.5],
    check(values) {
      const value = numberAt(values, name);
      if (!(value >= low && value <= high)) {
        throw new StudyError(`value ${value} of dimension "${name}" is outside [${low}, ${high}]`);
      }
      if (!Number.isInteger(value)) throw new StudyError(`value ${value} of integer dimension "${name}" is not whole`);
    },
    toUnit: (values) => [unitAt(numberAt(values, name))],
    toValues: (unit, at) => [valueAt(unit[at]!)],
    snap(unit, at) {
      unit[at] = unitAt(valueAt(unit[at]!));
    },
    spread() {},
    neighbours: (unit, at) => neighbourValues(valueAt(unit[at]!)).map((value) => [unitAt(value)]),
    gridSize: (levels) => BigInt(Math.min(levels, count)),
    gridPoint: (levels, index) => {
      const value = levels >= count ? low + Number(index) : valueAt(Number(index) / (levels - 1));
      return [unitAt(value)];
    },
  };
}
