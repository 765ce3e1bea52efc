/**
 * How a gradient lies: like its value, except that a gradient kept apart by items has them on axis 0 even where the value has none, such as
 * a parameter: it then has one axis more, in front. Axes are therefore counted from the last, and rules need not know which case they are in.
 *
 * The size of the items' axis is the cotangent's, which may be K where the forward pass has 1; nothing here sums over it.
 */

import { EvaluatorError } from "../../errors.ts";
import { int } from "../attributes.ts";
import type { Value } from "../builder.ts";
import type { Facts } from "./facts.ts";
import type { Dim } from "./inference.ts";
import type { TableSize } from "./rows.ts";
import type { Tape } from "./tape.ts";

/** A value, or what would be one: only its layout matters. */
export interface Shaped {
  readonly dims: readonly Dim[];
  readonly hasItems: boolean;
}

export class Layout {
  readonly #tape: Tape;
  readonly #facts: Facts;
  /** Whether gradients of single items are kept apart. */
  readonly perItem: boolean;

  constructor(tape: Tape, facts: Facts, perItem: boolean) {
    this.#tape = tape;
    this.#facts = facts;
    this.perItem = perItem;
  }

  shaped(value: Value): Shaped {
    return { dims: this.#facts.dims(value), hasItems: this.#facts.hasItems(value) };
  }

  /** Axes that the gradient of a value has before the value's own: 1 or 0. */
  lead({ hasItems }: Shaped): number {
    return this.perItem && !hasItems ? 1 : 0;
  }

  /** Brings the elements of a gradient into the layout of the gradient of `x`, which has as many. */
  like(gradient: Value, x: Value): Value {
    return this.#tape.op("Reshape", [gradient, this.#sizes(x)]);
  }

  /** Whether a value is a table of rows and features already, see {@link tableSize}. */
  isTable(value: Value): boolean {
    return this.#facts.dims(value).length === 2;
  }

  /** Repeats a gradient along axes of size 1 to the size of `x`. */
  expand(gradient: Value, x: Value): Value {
    // Sizes of 1 change nothing, so the items' axis is left as it is.
    const { dims, hasItems } = this.shaped(x);
    const known = dims.map((dim, axis) => (axis === 0 && hasItems ? 1 : dim));
    const sizes = known.every((dim) => typeof dim === "number")
      ? this.#tape.int64s(...known)
      : this.#tape.op("Shape", [x]);
    return this.#tape.op("Expand", [gradient, sizes]);
  }

  /**
   * Undoes the broadcasting of `x` to `z`: sums a gradient that lies like `z` over the axes that `x` lacks or has with size 1. Where sizes are not known
   * before the graph runs, the axes are found when it does.
   */
  sumTo(gradient: Value, z: Shaped, x: Value): Value {
    const target = this.shaped(x);
    const rank = z.dims.length;
    const missing = rank - target.dims.length;
    if (this.perItem && target.hasItems && (missing !== 0 || !z.hasItems)) {
      throw new EvaluatorError(
        `value ${x}: broadcasting moves the items away from axis 0, so their gradients cannot be kept apart`,
      );
    }
    const summed: number[] = [];
    const perhaps: number[] = [];
    for (let axis = this.perItem && z.hasItems ? 1 : 0; axis < rank; axis++) {
      const dim = axis < missing ? 1 : target.dims[axis - missing];
      if (axis < missing || (dim === 1 && z.dims[axis] !== 1)) summed.push(axis - rank);
      else if (typeof dim !== "number" && (dim === undefined || dim !== z.dims[axis])) perhaps.push(axis - rank);
    }
    if (perhaps.length > 0) return this.like(this.#sumWhereOne(gradient, summed, perhaps, x), x);
    const drop = summed.every((axis) => axis < -target.dims.length);
    const sum =
      summed.length === 0
        ? gradient
        : this.#tape.op("ReduceSum", [gradient, this.#tape.int64s(...summed)], { keepdims: int(drop ? 0 : 1) });
    const left = rank + this.lead(z) - (drop ? summed.length : 0);
    return left === target.dims.length + this.lead(target) ? sum : this.like(sum, x);
  }

  /** Zeros in the layout of the gradient of `x`; `gradient` is one of another value and says how many items there are. */
  zeros(x: Value, gradient: Value): Value {
    const tape = this.#tape;
    const own = tape.op("Shape", [x], { start: int(this.perItem && this.#facts.hasItems(x) ? 1 : 0) });
    if (!this.perItem) return tape.op("ConstantOfShape", [own]);
    const items = tape.op("Shape", [gradient], { start: int(0), end: int(1) });
    return tape.op("ConstantOfShape", [tape.op("Concat", [items, own], { axis: int(0) })]);
  }

  /** A value seen as a table, its rows being its first axis. */
  tableSize(value: Value): TableSize {
    const tape = this.#tape;
    const [rows, ...trailing] = this.#facts.dims(value);
    const features = trailing.every((dim) => typeof dim === "number")
      ? tape.int64s(trailing.reduce((a, b) => a * b, 1))
      : tape.op("ReduceProd", [tape.op("Shape", [value], { start: int(1) })], { keepdims: int(1) });
    return {
      rows: typeof rows === "number" ? tape.int64s(rows) : tape.op("Shape", [value], { start: int(0), end: int(1) }),
      features,
    };
  }

  /** Sums over `summed` and over those of `perhaps` along which `x` turns out to have size 1; all axes are kept. */
  #sumWhereOne(gradient: Value, summed: readonly number[], perhaps: readonly number[], x: Value): Value {
    const tape = this.#tape;
    const rank = this.#facts.dims(x).length;
    const sizes = tape.op("Gather", [tape.op("Shape", [x]), tape.int64s(...perhaps.map((axis) => axis + rank))]);
    const ones = tape.op("Equal", [sizes, tape.int64(1)]);
    const found = tape.op("Compress", [tape.int64s(...perhaps), ones], { axis: int(0) });
    const axes = summed.length === 0 ? found : tape.op("Concat", [tape.int64s(...summed), found], { axis: int(0) });
    return tape.op("ReduceSum", [gradient, axes], { keepdims: int(1), noop_with_empty_axes: int(1) });
  }

  /** What a Reshape is told to give the layout of the gradient of `x`. */
  #sizes(x: Value): Value {
    const tape = this.#tape;
    const { dims, hasItems } = this.shaped(x);
    // Zero keeps the size of the gradient's own axis 0.
    const items = this.perItem ? [0] : [];
    const own = this.perItem && hasItems ? dims.slice(1) : dims;
    const unknown = own.filter((dim) => typeof dim !== "number").length;
    if (unknown <= 1) return tape.int64s(...items, ...own.map((dim) => (typeof dim === "number" ? dim : -1)));
    const start = dims.length - own.length;
    const read = tape.op("Shape", [x], { start: int(start) });
    return items.length === 0 ? read : tape.op("Concat", [tape.int64s(0), read], { axis: int(0) });
  }
}
