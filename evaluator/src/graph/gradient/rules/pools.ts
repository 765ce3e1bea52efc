/** Pools. */

import { int, ints } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";
import { spatialAxes } from "./channels.ts";
import { padLowest, putBack, takeWindows, unitKernels, type Windows, windowsOf } from "./windows.ts";

export const pools: Rules = {
  AveragePool: [averagePool],
  MaxPool: [maxPool],
  GlobalAveragePool: [
    (step) => {
      const share = step.op("Div", step.dy, step.count(step.x(), spatialAxes(step.rank(step.x()))));
      return step.layout.expand(share, step.x());
    },
  ],
  GlobalMaxPool: [(step) => largest(step, step.x(), step.y(), step.dy, spatialAxes(step.rank(step.x())))],
};

const windowsOfPool = (step: Step): Windows => windowsOf(step, step.ints("kernel_shape") ?? [], step.dims(step.x())[1]);

function averagePool(step: Step): Value {
  const windows = windowsOfPool(step);
  const { kernel, size, channels, strides, dilations, pads } = windows;
  const ones = step.op("Expand", step.number(1), step.tape.int64s(channels, 1, ...kernel));
  const whole = step.int("count_include_pad", 0) !== 0 || pads.every((pad) => pad === 0);
  if (whole) return putBack(step, step.times(step.dy, 1 / size), ones, channels, windows);
  const attributes = {
    strides: ints(...strides),
    dilations: ints(...dilations),
    pads: ints(...pads),
    group: int(channels),
  };
  const everywhere = step.op("Expand", step.number(1), step.op("Shape", step.x()));
  const counts = step.with(attributes, "Conv", everywhere, ones);
  return putBack(step, step.op("Div", step.dy, counts), ones, channels, windows);
}

/** The largest element of a window takes the gradient; equal ones share it. */
function maxPool(step: Step): Value {
  const { tape } = step;
  const windows = windowsOfPool(step);
  const { size, channels } = windows;
  const taken = takeWindows(step, padLowest(step, step.x(), windows), windows, true);
  const seen = step.op("Reshape", taken, tape.int64s(0, channels, size, -1));
  const top = step.with({ keepdims: int(1) }, "ReduceMax", seen, tape.int64s(2));
  const dy = step.op("Reshape", step.dy, tape.int64s(0, channels, 1, -1));
  const parts = largest(step, seen, top, dy, [-2]);
  const places = step.with({ start: int(2) }, "Shape", step.y());
  const shape = step.with({ axis: int(0) }, "Concat", tape.int64s(0, channels * size), places);
  return putBack(step, step.op("Reshape", parts, shape), unitKernels(step, windows), channels, windows);
}

function largest(step: Step, x: Value, top: Value, dy: Value, axes: readonly number[]): Value {
  const found = step.with({ to: int(1) }, "Cast", step.op("Equal", x, top));
  const count = step.with({ keepdims: int(1) }, "ReduceSum", found, step.tape.int64s(...axes));
  return step.op("Mul", found, step.op("Div", dy, count));
}
