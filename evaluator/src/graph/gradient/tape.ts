/**
 * Nodes that are written down first and appended to a graph only if something wanted reads them. Rules may so state whatever they need: equal
 * operators are one, and what turns out to be of no use leaves no trace.
 */

import type { Attribute } from "../attributes.ts";
import { ints } from "../attributes.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { intsOf } from "./constants.ts";
import type { Facts } from "./facts.ts";

/** A matrix, or a stack of them: the last two of `rank` axes are rows and columns. */
export interface Matrix {
  readonly value: Value;
  readonly rank: number;
}

/** Two matrices, or stacks of them, that were multiplied. */
interface Product {
  readonly factors: readonly [Matrix, Matrix];
  readonly outer: boolean;
}

export type Attributes = Readonly<Record<string, Attribute>>;

interface Entry {
  readonly opType: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

export class Tape {
  readonly #facts: Facts;
  readonly #entries: Entry[] = [];
  readonly #byKey = new Map<string, Entry>();
  readonly #byOutput = new Map<Value, Entry>();
  readonly #products = new Map<Value, Product>();
  readonly #constants = new Map<Value, (graph: GraphBuilder) => Value>();

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  op(opType: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.ops(opType, inputs, 1, attributes)[0]!;
  }

  ops(opType: string, inputs: readonly Value[], outputs: number, attributes: Attributes = {}): readonly Value[] {
    const key = JSON.stringify([opType, inputs, outputs, attributes]);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.outputs;
    const names = Array.from({ length: outputs }, (_, i) => `taped ${this.#entries.length}:${i}` as Value);
    const entry = { opType, inputs, outputs: names, attributes };
    this.#entries.push(entry);
    this.#byKey.set(key, entry);
    for (const name of names) this.#byOutput.set(name, entry);
    return names;
  }

  /** A float32 scalar. */
  float(value: number): Value {
    return this.#constant(`float ${value}`, (graph) => graph.floats([], [value]));
  }

  /** A one-dimensional int64 constant. */
  int64s(...values: number[]): Value {
    return this.#constant(`int64s ${values}`, (graph) => graph.int64s(...values));
  }

  /** An int64 scalar. */
  int64(value: number): Value {
    return this.#constant(`int64 ${value}`, (graph) => graph.int64(value));
  }

  /**
   * The product of two matrices, or of stacks of them that broadcast.
   * @param outer whether it is known to be that of a column and a row
   */
  product(a: Matrix, b: Matrix, outer = false): Matrix {
    const value = this.op("MatMul", [a.value, b.value]);
    this.#products.set(value, { factors: [a, b], outer });
    return { value, rank: Math.max(a.rank, b.rank) };
  }

  /**
   * A matrix with its last two axes exchanged. A transposed transposition is what it was, and a transposed product is the product of the transposed
   * in reverse: what is left are transpositions before a MatMul, into which onnxruntime fuses them, and no matrix is moved.
   */
  transposed({ value, rank }: Matrix): Matrix {
    const product = this.#products.get(value);
    if (product !== undefined) {
      const [a, b] = product.factors;
      return this.product(this.transposed(b), this.transposed(a), product.outer);
    }
    const inner = this.#transposedBefore(value, rank);
    if (inner !== undefined) return { value: inner, rank };
    const order = Array.from({ length: rank }, (_, axis) => axis);
    const perm = ints(...order.slice(0, -2), rank - 1, rank - 2);
    return { value: this.op("Transpose", [value], { perm }), rank };
  }

  /** The column and the row that a value is known to be the product of. */
  columnAndRow(value: Value): readonly [Matrix, Matrix] | undefined {
    const product = this.#products.get(value);
    return product?.outer ? product.factors : undefined;
  }

  /** Appends what the values need to the graph and returns their names there. */
  append(graph: GraphBuilder, values: readonly Value[]): Value[] {
    const names = new Map<Value, Value>();
    const needed = this.#neededFor(values);
    const nameOf = (value: Value): Value => names.get(value) ?? this.#constants.get(value)?.(graph) ?? value;
    for (const entry of this.#entries) {
      if (!needed.has(entry)) continue;
      const { opType, inputs, outputs, attributes } = entry;
      const appended = graph.ops(opType, inputs.map(nameOf), outputs.length, attributes);
      for (const [i, output] of outputs.entries()) names.set(output, appended[i]!);
    }
    return values.map(nameOf);
  }

  #neededFor(values: readonly Value[]): ReadonlySet<Entry> {
    const needed = new Set<Entry>();
    const open = [...values];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      const entry = this.#byOutput.get(value);
      if (entry === undefined || needed.has(entry)) continue;
      needed.add(entry);
      open.push(...entry.inputs);
    }
    return needed;
  }

  /** What a value is the transposition of, if its last two axes are exchanged by one Transpose. */
  #transposedBefore(value: Value, rank: number): Value | undefined {
    const taped = this.#byOutput.get(value);
    const given = this.#facts.producer(value);
    const perm =
      taped?.opType === "Transpose" && taped.attributes["perm"]?.type === "ints"
        ? taped.attributes["perm"].value
        : given?.opType === "Transpose"
          ? (intsOf(given, "perm") ?? [])
          : [];
    const exchanges = perm.length === rank && perm.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
    return exchanges ? ((taped?.inputs[0] ?? given?.input[0]) as Value) : undefined;
  }

  #constant(name: string, make: (graph: GraphBuilder) => Value): Value {
    const value = `taped ${name}` as Value;
    this.#constants.set(value, make);
    return value;
  }
}
