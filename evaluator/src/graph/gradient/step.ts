/** One node on the way back: what a rule sees of it, and what it writes gradients with. */

import type { NodeProto } from "onnx-buf";
import { EvaluatorError } from "../../errors.ts";
import { int } from "../attributes.ts";
import type { Value } from "../builder.ts";
import { attributeOf, intsOf } from "./constants.ts";
import type { Facts } from "./facts.ts";
import type { Dim } from "./inference.ts";
import type { Layout, Shaped } from "./layout.ts";
import type { Attributes, Tape } from "./tape.ts";

export class Step {
  readonly tape: Tape;
  readonly layout: Layout;
  readonly #facts: Facts;
  readonly #node: NodeProto;
  readonly #gradients: readonly (Value | undefined)[];

  constructor(
    context: { tape: Tape; facts: Facts; layout: Layout },
    node: NodeProto,
    gradients: readonly (Value | undefined)[],
  ) {
    this.tape = context.tape;
    this.layout = context.layout;
    this.#facts = context.facts;
    this.#node = node;
    this.#gradients = gradients;
  }

  get inputs(): readonly Value[] {
    return this.#node.input as Value[];
  }

  get outputs(): number {
    return this.#node.output.length;
  }

  /** Input `i`, which the node must have. */
  x(i = 0): Value {
    return this.#node.input[i] as Value;
  }

  has(i: number): boolean {
    return (this.#node.input[i] ?? "") !== "";
  }

  y(i = 0): Value {
    return this.#node.output[i] as Value;
  }

  /** Gradient of the first output. */
  get dy(): Value {
    return this.#gradients[0]!;
  }

  /** Gradient of each output, undefined for those through which none flows. */
  get dys(): readonly (Value | undefined)[] {
    return this.#gradients;
  }

  dims(value: Value): readonly Dim[] {
    return this.#facts.dims(value);
  }

  rank(value: Value): number {
    return this.#facts.dims(value).length;
  }

  shaped(value: Value): Shaped {
    return this.layout.shaped(value);
  }

  isFloat(value: Value): boolean {
    return this.#facts.isFloat(value);
  }

  hasItems(value: Value): boolean {
    return this.#facts.hasItems(value);
  }

  /** The elements of an input that is a constant; undefined for one that is computed or absent. */
  numbers(i: number): readonly number[] | undefined {
    return this.has(i) ? this.#facts.numbers(this.x(i)) : undefined;
  }

  int(name: string, otherwise: number): number {
    const attribute = attributeOf(this.#node, name);
    return attribute === undefined ? otherwise : Number(attribute.i);
  }

  float(name: string, otherwise: number): number {
    return attributeOf(this.#node, name)?.f ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return intsOf(this.#node, name);
  }

  string(name: string, otherwise: string): string {
    const attribute = attributeOf(this.#node, name);
    return attribute === undefined ? otherwise : new TextDecoder().decode(attribute.s);
  }

  /** An output that the operator can also give and that was not asked of it so far. */
  extraOutput(i: number): Value {
    const { output } = this.#node;
    while (output.length < i) output.push("");
    output[i] ||= `${this.y()}:${i}`;
    return output[i] as Value;
  }

  op(opType: string, ...inputs: readonly Value[]): Value {
    return this.tape.op(opType, inputs);
  }

  with(attributes: Attributes, opType: string, ...inputs: readonly Value[]): Value {
    return this.tape.op(opType, inputs, attributes);
  }

  /** A float32 scalar. */
  number(value: number): Value {
    return this.tape.float(value);
  }

  times(a: Value, factor: number | Value): Value {
    return this.op("Mul", a, typeof factor === "number" ? this.number(factor) : factor);
  }

  /** The same, without a node for a factor of 1. */
  scaled(value: Value, factor: number): Value {
    return factor === 1 ? value : this.times(value, factor);
  }

  /** Undoes the broadcasting of input `i` to the output. */
  sumTo(gradient: Value, i: number): Value {
    return this.layout.sumTo(gradient, this.shaped(this.y()), this.x(i));
  }

  /** An axis of `value` counted from the last. The items may not be what an operator works along when they are kept apart. */
  fromLast(axis: number, value: Value): number {
    const rank = this.rank(value);
    const negative = axis < 0 ? axis : axis - rank;
    if (negative === -rank && this.layout.perItem && this.hasItems(value)) {
      throw this.error("works along axis 0, so the gradients of items cannot be kept apart");
    }
    return negative;
  }

  /** The size of an axis, counted from the last, as an int64 `[1]`. */
  size(value: Value, axis: number): Value {
    const at = axis + this.rank(value);
    const dim = this.dims(value)[at];
    return typeof dim === "number"
      ? this.tape.int64s(dim)
      : this.with({ start: int(at), end: int(at + 1) }, "Shape", value);
  }

  /** How many elements lie along some axes together, as a float32. */
  count(value: Value, axes: readonly number[]): Value {
    const dims = axes.map((axis) => this.dims(value).at(axis));
    const known = dims.filter((dim) => typeof dim === "number");
    if (known.length === dims.length) return this.number(known.reduce((a, b) => a * b, 1));
    const sizes = this.with({ axis: int(0) }, "Concat", ...axes.map((axis) => this.size(value, axis)));
    return this.with({ to: int(1) }, "Cast", this.with({ keepdims: int(0) }, "ReduceProd", sizes));
  }

  error(problem: string): EvaluatorError {
    return new EvaluatorError(`${this.#node.opType} ${this.#node.name || this.y()}: ${problem}`);
  }
}
