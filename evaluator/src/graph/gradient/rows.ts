/**
 * The gradient of a table that was read by rows, as an embedding is: the rows that were read and what reaches each reading. Never as
 * large as the table for every item, which is what it would be written out.
 */

import { int, string } from "../attributes.ts";
import type { Value } from "../builder.ts";
import type { Tape } from "./tape.ts";

export interface Rows {
  readonly kind: "rows";
  /** Row numbers, int64: `[readings]`, or `[items, readings]` where items are kept apart; items may be 1. */
  readonly ids: Value;
  /** What reaches them: `[readings, features]` or `[items, readings, features]`, the table's trailing axes folded into one. */
  readonly values: Value;
}

/** Sizes of the table: int64 `[1]` each. */
export interface TableSize {
  readonly rows: Value;
  readonly features: Value;
}

const add = { reduction: string("add") };

/** Several readings as one. */
export function joinRows(tape: Tape, parts: readonly Rows[]): Rows {
  if (parts.length === 1) return parts[0]!;
  return {
    kind: "rows",
    ids: tape.op(
      "Concat",
      parts.map(({ ids }) => ids),
      { axis: int(-1) },
    ),
    values: tape.op(
      "Concat",
      parts.map(({ values }) => values),
      { axis: int(-2) },
    ),
  };
}

/** Sum over all readings, `[rows, features]`. */
export function sumOfRows(tape: Tape, { ids, values }: Rows, size: TableSize): Value {
  return tape.op("ScatterND", [zeros(tape, [size.rows, size.features]), column(tape, ids), values], add);
}

/** Sum over the readings of each item added to `onto`, or to zeros: `[items * rows, features]`. */
export function rowsOfItems(tape: Tape, { ids, values }: Rows, size: TableSize, onto?: Value): Value {
  const items = itemsOf(tape, values);
  const range = tape.op("Range", [tape.int64(0), tape.op("Squeeze", [items]), tape.int64(1)]);
  const first = tape.op("Unsqueeze", [tape.op("Mul", [range, size.rows]), tape.int64s(1)]);
  const base = onto ?? zeros(tape, [tape.op("Mul", [items, size.rows]), size.features]);
  return tape.op("ScatterND", [base, column(tape, tape.op("Add", [ids, first])), flat(tape, values, size)], add);
}

/**
 * Sum over items of the squares of the item's gradient, `[rows, features]`. A row that an item reads n times has the sum s of n values as its gradient:
 * each of the readings adds s^2 / n.
 * @param onto what it is added to, instead of zeros
 */
export function squaresOfRows(tape: Tape, { ids, values }: Rows, size: TableSize, onto?: Value): Value {
  const same = tape.op("Equal", [
    tape.op("Unsqueeze", [ids, tape.int64s(1)]),
    tape.op("Unsqueeze", [ids, tape.int64s(2)]),
  ]);
  const alike = tape.op("Cast", [same], { to: int(1) });
  const sums = tape.op("MatMul", [alike, values]);
  const times = tape.op("ReduceSum", [alike, tape.int64s(-1)], { keepdims: int(1) });
  const shares = tape.op("Div", [tape.op("Mul", [sums, sums]), times]);
  const items = tape.op("Concat", [itemsOf(tape, values), tape.int64s(1)], { axis: int(0) });
  const everyItems = column(tape, tape.op("Expand", [ids, items]));
  const base = onto ?? zeros(tape, [size.rows, size.features]);
  return tape.op("ScatterND", [base, everyItems, flat(tape, shares, size)], add);
}

const itemsOf = (tape: Tape, values: Value): Value => tape.op("Shape", [values], { start: int(0), end: int(1) });

const column = (tape: Tape, ids: Value): Value => tape.op("Reshape", [ids, tape.int64s(-1, 1)]);

function flat(tape: Tape, values: Value, { features }: TableSize): Value {
  return tape.op("Reshape", [values, tape.op("Concat", [tape.int64s(-1), features], { axis: int(0) })]);
}

function zeros(tape: Tape, sizes: readonly Value[]): Value {
  return tape.op("ConstantOfShape", [tape.op("Concat", sizes, { axis: int(0) })]);
}
