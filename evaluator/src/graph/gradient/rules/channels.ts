/** Sums and vectors over channels: axis 1 of `[items, channels, ...]`. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Step } from "../step.ts";

/** A vector of channels with an axis of size 1 for each axis after them. */
export function channels(step: Step, vector: Value): Value {
  const after = Array.from({ length: step.rank(step.x()) - 2 }, () => 1);
  return step.op("Reshape", vector, step.tape.int64s(-1, ...after));
}

/** What lies like the output, summed over all but the channels: the gradient of a vector of channels, input `input`. */
export function channelSum(step: Step, gradient: Value, input: number): Value {
  const { dims, hasItems } = step.shaped(step.y());
  const after = spatialAxes(dims.length);
  const ofItems =
    after.length === 0 ? gradient : step.with({ keepdims: int(0) }, "ReduceSum", gradient, step.tape.int64s(...after));
  return step.layout.sumTo(ofItems, { dims: dims.slice(0, 2), hasItems }, step.x(input));
}

/** Axes after the channels, counted from the last. */
export function spatialAxes(rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, i) => i - (rank - 2));
}
