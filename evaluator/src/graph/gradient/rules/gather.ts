/**
 * Reading by index. What comes back is put where it was read, values that were read from one place added: for single places by padding with zeros, for
 * tables that every item reads at places of its own as {@link Rows}, otherwise by a product with the matrix of ones where a place was read.
 */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rows } from "../rows.ts";
import type { Step } from "../step.ts";
import { padTo } from "./parts.ts";

/** Tables of up to so many rows are cheaper to write out for every item than to compare all readings of an item with each other. */
const fewRows = 64;

export function gather(step: Step): Value | Rows {
  const [x, ids] = [step.x(0), step.x(1)];
  const axis = step.fromLast(step.int("axis", 0), x);
  const place = step.numbers(1);
  if (place?.length === 1) {
    const part = step.rank(ids) === 0 ? step.op("Unsqueeze", step.dy, step.tape.int64s(axis)) : step.dy;
    return padTo(step, part, { axis, before: placeOf(step, place[0]!, axis), size: step.tape.int64s(1) });
  }
  if (step.layout.perItem && step.hasItems(ids)) {
    if (step.hasItems(x))
      throw step.error("reads by indices of all items from each, so their gradients cannot be kept apart");
    if (axis !== -step.rank(x))
      throw step.error("reads along another axis than 0 by indices of items, so their gradients cannot be kept apart");
    return rowsOfTable(step);
  }
  if (!step.layout.perItem && axis === -step.rank(x)) return rowsOfTable(step);
  const left = axis + step.rank(x) + step.layout.lead(step.shaped(x));
  const before = step.with({ start: int(0), end: int(left) }, "Shape", step.dy);
  const after = step.with({ start: int(axis + step.rank(x) + 1) }, "Shape", x);
  return scatter(step, step.dy, { before, after }, indices(step, [-1]), step.size(x, axis));
}

function placeOf(step: Step, index: number, axis: number): Value {
  return index >= 0 ? step.tape.int64s(index) : step.op("Add", step.size(step.x(), axis), step.tape.int64s(index));
}

/** Row numbers from 0, where the operator also takes them from the end; as many axes as `shape`. */
function indices(step: Step, shape: readonly number[]): Value {
  const ids = step.with({ to: int(7) }, "Cast", step.op("Reshape", step.x(1), step.tape.int64s(...shape)));
  return step.op("Mod", ids, step.size(step.x(), step.fromLast(step.int("axis", 0), step.x())));
}

function rowsOfTable(step: Step): Value | Rows {
  const x = step.x();
  const { tape, layout } = step;
  const ids = indices(step, layout.perItem ? [0, -1] : [-1]);
  const size = layout.tableSize(x);
  const leading = tape.int64s(...(layout.perItem ? [0, -1] : [-1]));
  const values = step.op("Reshape", step.dy, step.with({ axis: int(0) }, "Concat", leading, size.features));
  const [rows] = step.dims(x);
  if (!layout.perItem || typeof rows !== "number" || rows > fewRows) return { kind: "rows", ids, values };
  const readings = step.op("Unsqueeze", ids, tape.int64s(1));
  return layout.like(step.op("MatMul", places(step, readings, size.rows), values), x);
}

/**
 * A tensor with one axis read at `ids` put back where it was read.
 * @param sizes of the axes before and after that one, int64
 * @param ids int64 `[readings]`; `rows` is how many there are to read, int64 `[1]`
 */
export function scatter(
  step: Step,
  part: Value,
  sizes: { readonly before: Value; readonly after: Value },
  ids: Value,
  rows: Value,
): Value {
  const shape = (...parts: readonly Value[]): Value => step.with({ axis: int(0) }, "Concat", ...parts);
  const readings = step.op("Reshape", part, shape(sizes.before, step.op("Shape", ids), step.tape.int64s(-1)));
  const sum = step.op("MatMul", places(step, ids, rows), readings);
  return step.op("Reshape", sum, shape(sizes.before, rows, sizes.after));
}

/** Ones where a reading is of a row, zeros elsewhere: `[rows, readings]`; ids `[..., 1, readings]` give `[..., rows, readings]`. */
function places(step: Step, ids: Value, rows: Value): Value {
  const { tape } = step;
  const range = step.op("Range", tape.int64(0), step.op("Squeeze", rows), tape.int64(1));
  const same = step.op("Equal", step.op("Unsqueeze", range, tape.int64s(1)), ids);
  return step.with({ to: int(1) }, "Cast", same);
}
