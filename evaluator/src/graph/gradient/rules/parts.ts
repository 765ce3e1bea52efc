/** Zeros around what was a part. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Step } from "../step.ts";

/** Where a part of the input lies along one axis, counted from the last. */
export interface Part {
  readonly axis: number;
  /** Its first place and its size, int64 `[1]`. */
  readonly before: Value;
  readonly size: Value;
}

/** The gradient of a part of the input as one of the whole along that axis. */
export function padTo(step: Step, part: Value, { axis, before, size }: Part): Value {
  const after = step.op("Sub", step.op("Sub", step.size(step.x(), axis), before), size);
  const pads = step.with({ axis: int(0) }, "Concat", before, after);
  return step.op("Pad", part, pads, step.number(0), step.tape.int64s(axis));
}
