/** Operators that sum, or choose, along axes. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rule, Rules } from "../rule.ts";
import type { Step } from "../step.ts";

/** A rule from the gradient and the result, both with the axes that were reduced put back with size 1. */
function reduction(rule: (step: Step, dy: Value, y: Value, axes: readonly number[]) => Value): Rule {
  return [
    (step) => {
      const axes = axesOf(step);
      if (axes.length === 0) return step.dy;
      const back = (value: Value): Value =>
        step.int("keepdims", 1) ? value : step.op("Unsqueeze", value, step.tape.int64s(...axes));
      return rule(step, back(step.dy), back(step.y()), axes);
    },
  ];
}

/** Axes counted from the last; none if the operator does nothing. */
function axesOf(step: Step): readonly number[] {
  const x = step.x();
  if (step.has(1) && step.numbers(1) === undefined) throw step.error("axes that are computed cannot be differentiated");
  const given = step.numbers(1) ?? step.ints("axes") ?? [];
  const all = step.dims(x).map((_, axis) => axis);
  const axes = given.length > 0 ? given : step.int("noop_with_empty_axes", 0) ? [] : all;
  return axes.map((axis) => step.fromLast(axis, x));
}

/** The extreme elements take the gradient; equal ones share it. */
const extreme = reduction((step, dy, y, axes) => {
  const found = step.with({ to: int(1) }, "Cast", step.op("Equal", step.x(), y));
  const count = step.with({ keepdims: int(1) }, "ReduceSum", found, step.tape.int64s(...axes));
  return step.op("Mul", found, step.op("Div", dy, count));
});

export const reductions: Rules = {
  ReduceSum: reduction((step, dy) => step.layout.expand(dy, step.x())),
  ReduceMean: reduction((step, dy, _y, axes) => {
    return step.layout.expand(step.op("Div", dy, step.count(step.x(), axes)), step.x());
  }),
  ReduceSumSquare: reduction((step, dy) => step.op("Mul", step.times(step.x(), 2), dy)),
  ReduceL1: reduction((step, dy) => step.op("Mul", step.op("Sign", step.x()), dy)),
  ReduceL2: reduction((step, dy, y) => step.op("Mul", step.x(), step.op("Div", dy, y))),
  ReduceLogSum: reduction((step, dy, y) => step.layout.expand(step.op("Div", dy, step.op("Exp", y)), step.x())),
  ReduceLogSumExp: reduction((step, dy, y) => step.op("Mul", step.op("Exp", step.op("Sub", step.x(), y)), dy)),
  ReduceMax: extreme,
  ReduceMin: extreme,
  CumSum: [
    (step) => {
      const axis = step.numbers(1)?.[0];
      if (axis === undefined) throw step.error("an axis that is computed cannot be differentiated");
      const back = { reverse: int(1 - step.int("reverse", 0)), exclusive: int(step.int("exclusive", 0)) };
      return step.with(back, "CumSum", step.dy, step.tape.int64(step.fromLast(axis, step.x())));
    },
  ],
};
