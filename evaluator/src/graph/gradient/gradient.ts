/** Gradients as they add up: what reaches a value from each of its readers, and what is made of the sum at a parameter. */

import { int } from "../attributes.ts";
import type { Value } from "../builder.ts";
import type { Layout } from "./layout.ts";
import { joinRows, type Rows, rowsOfItems, squaresOfRows, sumOfRows } from "./rows.ts";
import type { Tape } from "./tape.ts";

export type Reduction = "sum" | "items" | "squares";

/** What one reader of a value sends back. */
export type Contribution = Value | Rows;

export class Sums {
  readonly #tape: Tape;
  readonly #layout: Layout;
  readonly #contributions = new Map<Value, Contribution[]>();

  constructor(tape: Tape, layout: Layout) {
    this.#tape = tape;
    this.#layout = layout;
  }

  add(value: Value, contribution: Contribution): void {
    const known = this.#contributions.get(value);
    if (known === undefined) this.#contributions.set(value, [contribution]);
    else known.push(contribution);
  }

  /** The gradient of a value, in its layout; undefined if nothing reaches it. */
  dense(value: Value): Value | undefined {
    const { rows, sum } = this.#sorted(value);
    if (rows === undefined) return sum;
    const tape = this.#tape;
    const size = this.#layout.tableSize(value);
    if (!this.#layout.perItem) {
      const own = this.#layout.like(sumOfRows(tape, rows, size), value);
      return sum === undefined ? own : tape.op("Add", [sum, own]);
    }
    const table = tape.op("Concat", [tape.int64s(-1), size.features], { axis: int(0) });
    const onto = sum && tape.op("Reshape", [sum, table]);
    const apart = tape.op("Concat", [tape.int64s(-1), tape.op("Shape", [value])], { axis: int(0) });
    return tape.op("Reshape", [rowsOfItems(tape, rows, size, onto), apart]);
  }

  /**
   * The sum over items of the squares of a parameter's gradients, of the parameter's shape; undefined if nothing reaches it.
   * @param items how many there are, int64 `[1]`
   * @param onto what it is added to, of the parameter's shape
   */
  squares(parameter: Value, items: Value, onto?: Value): Value | undefined {
    const { rows, sum } = this.#sorted(parameter);
    const tape = this.#tape;
    const shape = tape.op("Shape", [parameter]);
    const added = (...sizes: readonly Value[]): Value[] =>
      onto === undefined ? [] : [tape.op("Reshape", [onto, tape.op("Concat", sizes, { axis: int(0) })])];
    if (rows !== undefined && sum === undefined) {
      const size = this.#layout.tableSize(parameter);
      const [base] = added(size.rows, size.features);
      return tape.op("Reshape", [squaresOfRows(tape, rows, size, base), shape]);
    }
    const factors = rows === undefined && sum !== undefined ? tape.columnAndRow(sum) : undefined;
    if (factors !== undefined) {
      // The square of a product of a column and a row is the product of their squares: no gradient of an item is written out.
      const [left, right] = factors.map(({ value }, i) => {
        const square = tape.op("Squeeze", [tape.op("Mul", [value, value]), tape.int64s(-1 - i)]);
        return tape.op("Expand", [square, tape.op("Concat", [items, tape.int64s(1)], { axis: int(0) })]);
      });
      const base = onto === undefined ? [] : [onto];
      return tape.op("Gemm", [left!, right!, ...base], { transA: int(1) });
    }
    const apart = this.apart(parameter, items);
    if (apart === undefined) return onto;
    // A product with ones adds faster than a reduction does, and adds to what there is in the same pass.
    const flat = tape.op("Reshape", [
      tape.op("Mul", [apart, apart]),
      tape.op("Concat", [items, tape.int64s(-1)], { axis: int(0) }),
    ]);
    const ones = tape.op("Expand", [tape.float(1), tape.op("Concat", [tape.int64s(1), items], { axis: int(0) })]);
    return tape.op("Reshape", [tape.op("Gemm", [ones, flat, ...added(tape.int64s(1), tape.int64s(-1))]), shape]);
  }

  /**
   * A parameter's gradients by item, `[items, ...shape]`. The items are checked when the graph runs: a graph that folds them into another axis would
   * give one gradient for each row instead.
   */
  apart(parameter: Value, items: Value): Value | undefined {
    const dense = this.dense(parameter);
    const sizes = [items, this.#tape.op("Shape", [parameter])];
    return dense && this.#tape.op("Reshape", [dense, this.#tape.op("Concat", sizes, { axis: int(0) })]);
  }

  #sorted(value: Value): { readonly rows: Rows | undefined; readonly sum: Value | undefined } {
    const contributions = this.#contributions.get(value) ?? [];
    const rows = contributions.filter((part) => typeof part === "object");
    const others = contributions.filter((part) => typeof part === "string");
    return {
      rows: rows.length === 0 ? undefined : joinRows(this.#tape, rows),
      sum: others.length <= 1 ? others[0] : this.#tape.op("Sum", others),
    };
  }
}
