/** Gradients as they add up: what reaches a value from each of its readers, and what is made of the sum at a parameter. */

import { int } from "../attributes.ts";
import type { Value } from "../builder.ts";
import type { Layout } from "./layout.ts";
import { joinRows, type Rows, rowsOfItems, squaresOfRows, sumOfRows } from "./rows.ts";
import type { Matrix, Tape } from "./tape.ts";

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
      const table = sumOfRows(tape, rows, size);
      // A Reshape that changes nothing would copy what a graph gives out.
      const own = this.#layout.isTable(value) ? table : this.#layout.like(table, value);
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
    if (rows !== undefined && sum === undefined) return this.#squaresOfTable(parameter, rows, onto);
    const factors = rows === undefined && sum !== undefined ? this.#tape.columnAndRow(sum) : undefined;
    if (factors !== undefined) return this.#squaresOfOuter(factors, items, onto);
    const apart = this.apart(parameter, items);
    if (apart === undefined) return onto;
    // A product with ones adds faster than a reduction does.
    const tape = this.#tape;
    const square = tape.op("Mul", [apart, apart]);
    const flat = tape.op("Reshape", [square, tape.op("Concat", [items, tape.int64s(-1)], { axis: int(0) })]);
    const ones = tape.op("Expand", [tape.float(1), tape.op("Concat", [tape.int64s(1), items], { axis: int(0) })]);
    const squares = tape.op("Reshape", [tape.op("MatMul", [ones, flat]), tape.op("Shape", [parameter])]);
    return onto === undefined ? squares : tape.op("Add", [onto, squares]);
  }

  #squaresOfTable(parameter: Value, rows: Rows, onto: Value | undefined): Value {
    const tape = this.#tape;
    const size = this.#layout.tableSize(parameter);
    // A Reshape of what is fed, or of a result, is a copy.
    if (this.#layout.shaped(parameter).dims.length === 2) return squaresOfRows(tape, rows, size, onto);
    const table = tape.op("Concat", [size.rows, size.features], { axis: int(0) });
    const squares = squaresOfRows(tape, rows, size, onto && tape.op("Reshape", [onto, table]));
    return tape.op("Reshape", [squares, tape.op("Shape", [parameter])]);
  }

  /** The square of a product of a column and a row is the product of their squares: no item's gradient is written out. */
  #squaresOfOuter(factors: readonly [Matrix, Matrix], items: Value, onto: Value | undefined): Value {
    const tape = this.#tape;
    const rows = tape.op("Concat", [items, tape.int64s(1)], { axis: int(0) });
    const [columns, others] = factors.map(({ value }, i) => {
      const square = tape.op("Squeeze", [tape.op("Mul", [value, value]), tape.int64s(i === 0 ? -1 : -2)]);
      return tape.op("Expand", [square, rows]);
    });
    return tape.op("Gemm", [columns!, others!, ...(onto === undefined ? [] : [onto])], { transA: int(1) });
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
