/** Operators that take some elements, or put together elements of several tensors. */

import { int, string } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";
import { gather, scatter } from "./gather.ts";
import { padTo } from "./parts.ts";

export const selections: Rules = {
  Gather: [gather],
  GatherElements: [gatherElements],
  Slice: [slice],
  Pad: [unpad],
  Concat: concat,
  Split: [split],
  Trilu: [(step) => step.with({ upper: int(step.int("upper", 1)) }, "Trilu", step.dy, ...step.inputs.slice(1))],
};

function gatherElements(step: Step): Value {
  const [x, ids] = [step.x(0), step.x(1)];
  const axis = step.fromLast(step.int("axis", 0), x);
  if (step.layout.perItem && step.hasItems(ids) && !step.hasItems(x)) {
    throw step.error("reads by indices of items what has no items, so their gradients cannot be kept apart");
  }
  const everyItems = step.layout.perItem ? step.op("Expand", ids, step.op("Shape", step.dy)) : ids;
  const attributes = { axis: int(axis), reduction: string("add") };
  return step.with(attributes, "ScatterElements", step.layout.zeros(x, step.dy), everyItems, step.dy);
}

function slice(step: Step): Value {
  const x = step.x();
  const count = step.dims(step.x(1))[0];
  const given = step.numbers(3) ?? (typeof count === "number" && !step.has(3) ? [...Array(count).keys()] : undefined);
  const steps = step.has(4) ? step.numbers(4) : given?.map(() => 1);
  if (given === undefined || steps === undefined)
    throw step.error("axes or steps that are computed cannot be differentiated");
  return given.reduce((part, from, i) => {
    const axis = step.fromLast(from, x);
    const size = step.size(step.y(), axis);
    const before = start(step, i, axis, steps[i]!);
    return steps[i] === 1 ? padTo(step, part, { axis, before, size }) : spaced(step, part, axis, before, steps[i]!);
  }, step.dy);
}

/** The first place of slice `i`, which may be given from the end and lie outside: int64 `[1]`. */
function start(step: Step, i: number, axis: number, stride: number): Value {
  const { tape } = step;
  const size = step.size(step.x(), axis);
  const known = step.numbers(1)?.[i];
  const given = known === undefined ? step.op("Gather", step.x(1), tape.int64s(i)) : tape.int64s(known);
  if (known !== undefined && known >= 0 && stride > 0) return given;
  const wide = step.with({ to: int(7) }, "Cast", given);
  const fromFirst = step.op("Where", step.op("Less", wide, tape.int64(0)), step.op("Add", wide, size), wide);
  const last = stride > 0 ? size : step.op("Sub", size, tape.int64(1));
  return step.op("Min", step.op("Max", fromFirst, tape.int64s(0)), last);
}

/** The gradient of every `stride`-th place from `before` on. */
function spaced(step: Step, part: Value, axis: number, before: Value, stride: number): Value {
  const { tape } = step;
  const size = step.op("Squeeze", step.size(step.y(), axis));
  const counted = step.op("Range", tape.int64(0), size, tape.int64(1));
  const ids = step.op("Add", before, step.op("Mul", counted, tape.int64(stride)));
  const before_ = step.with({ start: int(0), end: int(axis) }, "Shape", part);
  const after = axis === -1 ? tape.int64s() : step.with({ start: int(axis + 1) }, "Shape", part);
  return scatter(step, part, { before: before_, after }, ids, step.size(step.x(), axis));
}

/** Padding with negative numbers crops. */
function unpad(step: Step): Value {
  if (step.string("mode", "constant") !== "constant") throw step.error("only constant padding can be differentiated");
  const x = step.x();
  const rank = step.rank(x);
  const axes = step.has(3) ? step.numbers(3) : step.dims(x).map((_, axis) => axis);
  if (axes === undefined) throw step.error("axes that are computed cannot be differentiated");
  const pads = step.numbers(1);
  const touched = axes.flatMap((_axis, i) => (pads && pads[i] === 0 && pads[i + axes.length] === 0 ? [] : [i]));
  if (touched.length === 0) return step.dy;
  const fromLast = touched.map((i) =>
    pads === undefined ? axes[i]! - (axes[i]! < 0 ? 0 : rank) : step.fromLast(axes[i]!, x),
  );
  const own = step.op("Gather", step.x(1), step.tape.int64s(...touched, ...touched.map((i) => i + axes.length)));
  return step.op("Pad", step.dy, step.op("Neg", own), step.number(0), step.tape.int64s(...fromLast));
}

function concat(step: Step, input: number): Value {
  const axis = step.fromLast(step.int("axis", 0), step.y());
  const sizes = step.inputs.map((x) => step.size(x, axis));
  const parts = step.tape.ops("Split", [step.dy, step.with({ axis: int(0) }, "Concat", ...sizes)], sizes.length, {
    axis: int(axis),
  });
  const x = step.x(input);
  const { dims, hasItems } = step.shaped(step.y());
  const own = dims.with(axis, step.dims(x).at(axis));
  return step.layout.sumTo(parts[input]!, { dims: own, hasItems }, x);
}

function split(step: Step): Value {
  const axis = step.fromLast(step.int("axis", 0), step.x());
  const known = step.dys.find((dy) => dy !== undefined)!;
  const parts = step.dys.map((dy, i) => dy ?? step.layout.zeros(step.y(i), known));
  return step.with({ axis: int(axis) }, "Concat", ...parts);
}
