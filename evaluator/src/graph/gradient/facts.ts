/**
 * What is known of a graph's values before it runs: types, ranks, and the sizes that are fixed or named. onnxruntime's own shape inference says it,
 * so that it agrees with what will run and every operator is covered.
 */

import type { NodeProto, TensorProto } from "onnx-buf";
import { EvaluatorError } from "../../errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { attributeOf, numbersOf } from "./constants.ts";
import { type Dim, inferTypes, isFloatType, type ValueType } from "./inference.ts";
import { valuesWithItems } from "./items.ts";

export class Facts {
  readonly nodes: readonly NodeProto[];
  readonly #types: ReadonlyMap<string, ValueType>;
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #withItems: ReadonlySet<string>;
  readonly #producers: ReadonlyMap<string, NodeProto>;

  constructor(
    nodes: readonly NodeProto[],
    types: ReadonlyMap<string, ValueType>,
    constants: ReadonlyMap<string, TensorProto>,
    dataInputs: readonly string[],
  ) {
    this.nodes = nodes;
    this.#types = types;
    this.#constants = constants;
    this.#withItems = valuesWithItems(nodes, dataInputs, {
      rank: (value) => types.get(value)?.dims?.length,
      numbers: (value) => this.numbers(value as Value),
    });
    this.#producers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
  }

  /** The value's sizes, as many as its rank. @throws EvaluatorError where the rank is not known */
  dims(value: Value): readonly Dim[] {
    const dims = this.#types.get(value)?.dims;
    if (dims === undefined) throw new EvaluatorError(`value ${value}: its rank is not known before the graph runs`);
    return dims;
  }

  /** Whether gradients can flow through a value: it is float32, float16 or float64. */
  isFloat(value: Value): boolean {
    return isFloatType(this.#types.get(value)?.type);
  }

  /** Whether a value has the items on axis 0. */
  hasItems(value: Value): boolean {
    return this.#withItems.has(value);
  }

  /** The node that makes a value; undefined for inputs and constants of the graph. */
  producer(value: Value): NodeProto | undefined {
    return this.#producers.get(value);
  }

  /** The elements of a constant, or undefined for what is computed. */
  numbers(value: Value): readonly number[] | undefined {
    const tensor = this.#constants.get(value);
    return tensor && numbersOf(tensor);
  }
}

/** @throws EvaluatorError when onnxruntime does not accept the graph */
export async function inferFacts(graph: GraphBuilder): Promise<Facts> {
  const { model, weights } = graph.build();
  const { node: nodes, input, initializer } = model.graph!;
  const constants = new Map(initializer.map((tensor) => [tensor.name, tensor]));
  for (const node of nodes) {
    const constant = node.opType === "Constant" ? attributeOf(node, "value")?.t : undefined;
    if (constant !== undefined) constants.set(node.output[0]!, constant);
  }
  const types = await inferTypes(model, (value) => {
    const tensor = constants.get(value);
    return tensor && numbersOf(tensor);
  });
  for (const { name, dims } of initializer) types.set(name, { type: "constant", dims: dims.map(Number) });
  const dataInputs = input.map(({ name }) => name).filter((name) => !weights.has(name) && !constants.has(name));
  return new Facts(nodes, types, constants, dataInputs);
}
