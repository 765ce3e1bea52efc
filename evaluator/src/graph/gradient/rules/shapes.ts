/** Operators that only move or repeat elements. */

import { int, ints } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rule, Rules } from "../rule.ts";
import type { Step } from "../step.ts";

/** The same elements in the same order. */
const reshaped: Rule = [(step) => step.layout.like(step.dy, step.x())];

export const shapes: Rules = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: [transpose],
  Expand: [(step) => step.sumTo(step.dy, 0)],
  Tile: [tile],
  Dropout: [
    (step) => {
      if (step.has(2) && step.numbers(2)?.[0] !== 0)
        throw step.error("in training mode it cannot be differentiated; export the model for inference");
      return step.dy;
    },
  ],
};

function transpose(step: Step): Value {
  const x = step.shaped(step.x());
  const rank = x.dims.length;
  const perm = step.ints("perm") ?? x.dims.map((_, axis) => rank - 1 - axis);
  if (step.layout.perItem && x.hasItems && perm[0] !== 0) {
    throw step.error("moves the items away from axis 0, so their gradients cannot be kept apart");
  }
  const inverse = x.dims.map((_, axis) => perm.indexOf(axis));
  const lead = step.layout.lead(x);
  const exchanges = inverse.every((from, axis) => from === (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  if (exchanges && rank >= 2) return step.tape.transposed({ value: step.dy, rank: rank + lead }).value;
  const order = inverse.map((axis) => axis + lead);
  return step.with({ perm: ints(...(lead ? [0] : []), ...order) }, "Transpose", step.dy);
}

/** Each axis apart into its copies and itself, then summed over the copies. */
function tile(step: Step): Value {
  const repeats = step.numbers(1);
  if (repeats === undefined) throw step.error("repeats that are computed cannot be differentiated");
  const x = step.x();
  const rank = step.rank(x);
  const lead = step.layout.lead(step.shaped(x));
  const repeated = repeats.flatMap((times, axis) => (times === 1 ? [] : [step.fromLast(axis, x)]));
  if (repeated.length === 0) return step.dy;
  const sizes = repeats.flatMap((times, axis) => [
    ...(times === 1 ? [] : [step.tape.int64s(times)]),
    step.layout.perItem && step.hasItems(x) && axis === 0 ? step.tape.int64s(0) : step.size(x, axis - rank),
  ]);
  const shape = step.with({ axis: int(0) }, "Concat", ...(lead ? [step.tape.int64s(0)] : []), ...sizes);
  // Copies of an axis lie before it, and so do the copies of the axes after it.
  const copies = repeated.map((axis) => axis - repeated.filter((other) => other >= axis).length);
  const apart = step.op("Reshape", step.dy, shape);
  return step.with({ keepdims: int(0) }, "ReduceSum", apart, step.tape.int64s(...copies));
}
