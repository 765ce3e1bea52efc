/** What an operator's rule is. */

import type { Value } from "../builder.ts";
import type { Rows } from "./rows.ts";
import type { Step } from "./step.ts";

/**
 * The gradient that reaches an input, given that of the outputs (`step.dy`), in the layout of that input (see `layout.ts`); undefined if
 * nothing reaches it.
 */
export type InputRule = (step: Step, input: number) => Value | Rows | undefined;

/**
 * A rule for each input in turn, undefined for an input through which no gradient flows; or one rule for all inputs of an operator that takes
 * any number of them. An operator whose output does not change with small changes of its inputs has an empty list.
 */
export type Rule = readonly (InputRule | undefined)[] | InputRule;

export type Rules = Readonly<Record<string, Rule>>;

export function inputRule(rule: Rule, input: number): InputRule | undefined {
  return typeof rule === "function" ? rule : rule[input];
}
