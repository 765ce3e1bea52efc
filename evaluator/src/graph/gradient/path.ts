/** What lies between the parameters and the output: the only part of a graph that is differentiated. */

import type { NodeProto } from "onnx-buf";
import { EvaluatorError } from "../../errors.ts";
import type { Value } from "../builder.ts";
import type { Facts } from "./facts.ts";
import { inputRule, type Rule, type Rules } from "./rule.ts";

export interface Path {
  /** Nodes on the way, in the order of the graph. */
  readonly nodes: readonly NodeProto[];
  /** Values that the parameters reach by float operators: gradients of others are nobody's. */
  readonly reached: ReadonlySet<Value>;
}

/** @throws EvaluatorError listing the nodes on the way that have no rule */
export function findPath(facts: Facts, rules: Rules, output: Value, parameters: Iterable<Value>): Path {
  const needed = ancestors(facts, output);
  const reached = new Set(parameters);
  const nodes: NodeProto[] = [];
  const lacking = new Map<string, string[]>();
  for (const node of facts.nodes) {
    if (!needed.has(node) || !node.input.some((name) => reached.has(name as Value))) continue;
    const outputs = node.output.filter((name) => facts.isFloat(name as Value)) as Value[];
    if (outputs.length === 0) continue;
    const rule = ruleOf(rules, node);
    if (rule === undefined) {
      const operator = `${node.domain === "" ? "" : `${node.domain}.`}${node.opType}`;
      lacking.set(operator, [...(lacking.get(operator) ?? []), node.name || node.output[0]!]);
    } else if (node.input.some((name, i) => reached.has(name as Value) && inputRule(rule, i) !== undefined)) {
      nodes.push(node);
    } else continue;
    for (const name of outputs) reached.add(name);
  }
  if (lacking.size > 0) {
    const list = [...lacking].map(([operator, [first, ...others]]) => {
      return `${operator} (node ${first}${others.length === 0 ? "" : ` and ${others.length} more`})`;
    });
    const supported = Object.keys(rules).toSorted().join(", ");
    throw new EvaluatorError(
      `operators that cannot be differentiated lie between the parameters and the output: ${list.join(", ")}; those that can: ${supported}`,
    );
  }
  return { nodes, reached };
}

function ruleOf(rules: Rules, { domain, opType }: NodeProto): Rule | undefined {
  return (domain === "" || domain === "ai.onnx") && Object.hasOwn(rules, opType) ? rules[opType] : undefined;
}

function ancestors(facts: Facts, output: Value): ReadonlySet<NodeProto> {
  const found = new Set<NodeProto>();
  const open = [output];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const node = facts.producer(value);
    if (node === undefined || found.has(node)) continue;
    found.add(node);
    open.push(...(node.input as Value[]));
  }
  return found;
}
