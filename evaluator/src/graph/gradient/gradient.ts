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
   */
  squares(parameter: Value, items: Value): Value | undefined {
    const { rows, sum } = this.#sorted(parameter);
    const tape = this.#tape;
    if (rows !== undefined && sum === undefined) {
      return tape.op("Reshape", [
        squaresOfRows(tape, rows, this.#layout.tableSize(parameter)),
        tape.op("Shape", [parameter]),
      ]);
    }
    const apart = this.apart(parameter, items);
    return apart && tape.op("ReduceSum", [tape.op("Mul", [apart, apart]), tape.int64s(0)], { keepdims: int(0) });
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
