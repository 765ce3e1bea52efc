/** Convolutions. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";
import { channelSum } from "./channels.ts";
import { putBack, takeWindows, type Windows, windowsOf } from "./windows.ts";

export const convolutions: Rules = {
  Conv: [
    (step) => putBack(step, step.dy, step.x(1), step.int("group", 1), windowsOfConv(step)),
    kernels,
    (step) => channelSum(step, step.dy, 2),
  ],
};

function windowsOfConv(step: Step): Windows {
  const [, channels, ...kernel] = step.dims(step.x(1));
  return windowsOf(step, kernel, typeof channels === "number" ? channels * step.int("group", 1) : undefined);
}

/** The kernels are a matrix that multiplies every window; see MatMul. */
function kernels(step: Step): Value {
  const { tape, layout } = step;
  const windows = windowsOfConv(step);
  const group = step.int("group", 1);
  const [outputs] = step.dims(step.x(1));
  if (typeof outputs !== "number") throw step.error("the number of kernels must be fixed to be differentiated");
  const rows = (windows.channels / group) * windows.size;
  const seen = step.op("Reshape", takeWindows(step, step.x(), windows), tape.int64s(0, group, rows, -1));
  const dy = step.op("Reshape", step.dy, tape.int64s(0, group, outputs / group, -1));
  const product = tape.product({ value: dy, rank: 4 }, tape.transposed({ value: seen, rank: 4 })).value;
  const items = step.with({ keepdims: int(0) }, "ReduceSum", product, tape.int64s(0));
  return layout.like(layout.perItem ? product : items, step.x(1));
}
