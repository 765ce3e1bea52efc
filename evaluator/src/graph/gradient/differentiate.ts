/**
 * Reverse-mode differentiation of a graph into the same graph plus a backward pass (Griewank and Walther, 2008, chapter 3): nodes are gone through
 * from the last to the first, and each operator's rule says what reaches its inputs. The result is ordinary operators, so every provider
 * that runs a model runs its gradient too.
 */

import { EvaluatorError } from "../../errors.ts";
import { int } from "../attributes.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { inferFacts } from "./facts.ts";
import { type Reduction, Sums } from "./gradient.ts";
import { Layout } from "./layout.ts";
import { findPath } from "./path.ts";
import { inputRule } from "./rule.ts";
import { rules } from "./rules/index.ts";
import { Step } from "./step.ts";
import { Tape } from "./tape.ts";

export interface Derivative {
  /** What is differentiated, a float32 value with items on axis 0, e.g. log likelihoods `[items, labels]`. */
  readonly output: Value;
  /**
   * What each element of `output` weighs: a float32 value of its shape. For `items` and `squares` axis 0 may also be K where that of `output` is 1:
   * one forward pass then serves K derivatives of one item, and "item" below means each of the K.
   */
  readonly cotangent: Value;
  /** Parameters by tensor name: weights of the graph. */
  readonly wrt: Iterable<string>;
  /**
   * What becomes of the gradients of the single items, `d (cotangent . output) / d parameter`:
   * `sum` is their sum, of the parameter's shape; `items` keeps them apart, `[items, ...shape]`; `squares` is the sum over items of
   * their element-wise squares, of the parameter's shape. A weight w for the square of an item is a factor sqrt(w) in its cotangent.
   */
  readonly reduction: Reduction;
  /** What `squares` are added to, float32 of the parameter's shape, by parameter name; zeros by default. */
  readonly onto?: ReadonlyMap<string, Value>;
}

/**
 * Appends the backward pass to `graph` and returns the gradients by parameter name; the graph may be continued from them. A parameter that does not
 * touch the output has zeros. Only what the wanted parameters need is appended.
 * @throws EvaluatorError listing the nodes on the way that have no rule, or that mix items where `reduction` keeps them apart.
 */
export async function differentiate(graph: GraphBuilder, derivative: Derivative): Promise<Map<string, Value>> {
  const { output, cotangent, reduction } = derivative;
  const parameters = [...derivative.wrt] as Value[];
  checkNames(graph, parameters);
  const facts = await inferFacts(graph);
  const tape = new Tape(facts);
  const layout = new Layout(tape, facts, reduction !== "sum");
  const path = findPath(facts, rules, output, parameters);
  const sums = new Sums(tape, layout);
  sums.add(output, cotangent);
  for (const node of path.nodes.toReversed()) {
    const gradients = (node.output as Value[]).map((value) => sums.dense(value));
    if (gradients.every((gradient) => gradient === undefined)) continue;
    const step = new Step({ tape, facts, layout }, node, gradients);
    for (const [i, value] of step.inputs.entries()) {
      const contribution = path.reached.has(value) ? inputRule(rules[node.opType]!, i)?.(step, i) : undefined;
      if (contribution !== undefined) sums.add(value, contribution);
    }
  }
  const items = tape.op("Shape", [cotangent], { start: int(0), end: int(1) });
  const results = parameters.map((parameter) => {
    const result =
      reduction === "squares"
        ? sums.squares(parameter, items, derivative.onto?.get(parameter))
        : reduction === "items"
          ? sums.apart(parameter, items)
          : sums.dense(parameter);
    return result ?? tape.op("ConstantOfShape", [tape.op("Shape", [parameter])]);
  });
  const appended = tape.append(graph, results);
  return new Map(parameters.map((parameter, i) => [parameter, appended[i]!]));
}

function checkNames(graph: GraphBuilder, parameters: readonly string[]): void {
  const unknown = parameters.filter((name) => !graph.weights.has(name));
  if (unknown.length > 0) {
    throw new EvaluatorError(`the graph has no weights ${unknown.join(", ")} that it could be differentiated by`);
  }
}
