/** Operators on one element of each input, which broadcast. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rule, Rules } from "../rule.ts";
import type { Step } from "../step.ts";

/** A rule for each input, written as if all had the output's shape. */
function broadcasting(...each: readonly (((step: Step) => Value) | undefined)[]): Rule {
  return each.map((rule) => rule && ((step, input) => step.sumTo(rule(step), input)));
}

/** The same for any number of inputs. */
function broadcastingAll(rule: (step: Step, input: number) => Value): Rule {
  return (step, input) => step.sumTo(rule(step, input), input);
}

/** The gradient where a condition holds, zero elsewhere. */
const where = (step: Step, condition: Value): Value => step.op("Where", condition, step.dy, step.number(0));

/** The extreme input takes the gradient; equal ones share it. */
const extreme: Rule = broadcastingAll((step, input) => {
  const isExtreme = (x: Value): Value => step.with({ to: int(1) }, "Cast", step.op("Equal", x, step.y()));
  const all = step.op("Sum", ...step.inputs.map(isExtreme));
  return step.times(step.dy, step.op("Div", isExtreme(step.x(input)), all));
});

export const arithmetic: Rules = {
  Add: broadcasting(
    ({ dy }) => dy,
    ({ dy }) => dy,
  ),
  Sub: broadcasting(
    ({ dy }) => dy,
    (step) => step.op("Neg", step.dy),
  ),
  Mul: broadcasting(
    (step) => step.times(step.dy, step.x(1)),
    (step) => step.times(step.dy, step.x(0)),
  ),
  Div: broadcasting(
    (step) => step.op("Div", step.dy, step.x(1)),
    (step) => step.op("Neg", step.op("Div", step.times(step.dy, step.y()), step.x(1))),
  ),
  Pow: broadcasting(powBase, powExponent),
  Sum: broadcastingAll(({ dy }) => dy),
  Mean: broadcastingAll((step) => step.times(step.dy, 1 / step.inputs.length)),
  Max: extreme,
  Min: extreme,
  Where: broadcasting(
    undefined,
    (step) => where(step, step.x(0)),
    (step) => step.op("Where", step.x(0), step.number(0), step.dy),
  ),
  Clip: [(step) => where(step, step.op("Equal", step.x(), step.y()))],
  Abs: [(step) => step.times(step.dy, step.op("Sign", step.x()))],
  Neg: [(step) => step.op("Neg", step.dy)],
  Sqrt: [(step) => step.op("Div", step.times(step.dy, 0.5), step.y())],
  Reciprocal: [(step) => step.op("Neg", step.times(step.dy, step.op("Mul", step.y(), step.y())))],
  Exp: [(step) => step.times(step.dy, step.y())],
  Log: [(step) => step.op("Div", step.dy, step.x())],
  Sin: [(step) => step.times(step.dy, step.op("Cos", step.x()))],
  Cos: [(step) => step.op("Neg", step.times(step.dy, step.op("Sin", step.x())))],
  Identity: [({ dy }) => dy],
  Cast: [(step) => step.op("CastLike", step.dy, step.x())],
  Ceil: [],
  Floor: [],
  Round: [],
  Sign: [],
};

function powBase(step: Step): Value {
  const [exponent, ...others] = step.numbers(1) ?? [];
  if (exponent === undefined || others.length > 0) {
    const power = exponentOf(step);
    const lower = step.op("Pow", step.x(), step.op("Sub", power, step.number(1)));
    return step.times(step.dy, step.op("Mul", power, lower));
  }
  const lower =
    exponent === 2
      ? step.x()
      : exponent === 3
        ? step.op("Mul", step.x(), step.x())
        : step.op("Pow", step.x(), step.number(exponent - 1));
  return step.times(step.dy, step.times(lower, exponent));
}

/** y log(x), which is zero at x = 0. */
function powExponent(step: Step): Value {
  const positive = step.op("Greater", step.x(), step.number(0));
  const log = step.op("Log", step.op("Where", positive, step.x(), step.number(1)));
  return step.times(step.dy, step.op("Mul", step.y(), log));
}

/** Exponents may be integers. */
const exponentOf = (step: Step): Value =>
  step.isFloat(step.x(1)) ? step.x(1) : step.op("CastLike", step.x(1), step.x());
