/** Activation functions. */

import { float } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";

/** The gradient times the derivative. */
const chain =
  (derivative: (step: Step) => Value) =>
  (step: Step): Value =>
    step.times(step.dy, derivative(step));

const square = (step: Step, x: Value): Value => step.op("Mul", x, x);
const oneMinus = (step: Step, x: Value): Value => step.op("Sub", step.number(1), x);

/** The gradient where the input is positive, and `otherwise` elsewhere. */
const wherePositive = (step: Step, otherwise: Value): Value =>
  step.op("Where", step.op("Greater", step.x(), step.number(0)), step.dy, otherwise);

export const activations: Rules = {
  Relu: [chain((step) => step.op("Sign", step.y()))],
  LeakyRelu: [(step) => wherePositive(step, step.times(step.dy, step.float("alpha", 0.01)))],
  PRelu: [
    (step) => wherePositive(step, step.times(step.dy, step.x(1))),
    (step) => step.sumTo(step.times(step.dy, step.op("Min", step.x(), step.number(0))), 1),
  ],
  Elu: [
    (step) => wherePositive(step, step.times(step.dy, step.op("Add", step.y(), step.number(step.float("alpha", 1))))),
  ],
  Sigmoid: [chain((step) => step.op("Mul", step.y(), oneMinus(step, step.y())))],
  HardSigmoid: [
    (step) => {
      const inside = step.op(
        "And",
        step.op("Greater", step.y(), step.number(0)),
        step.op("Less", step.y(), step.number(1)),
      );
      return step.op("Where", inside, step.times(step.dy, step.float("alpha", 0.2)), step.number(0));
    },
  ],
  HardSwish: [chain(hardSwish)],
  Tanh: [chain((step) => oneMinus(step, square(step, step.y())))],
  Erf: [chain((step) => step.times(step.op("Exp", step.op("Neg", square(step, step.x()))), 2 / Math.sqrt(Math.PI)))],
  Softplus: [chain((step) => step.op("Sigmoid", step.x()))],
  Softsign: [chain((step) => square(step, oneMinus(step, step.op("Abs", step.y()))))],
  Gelu: [chain((step) => (step.string("approximate", "none") === "tanh" ? tanhGelu(step) : gelu(step)))],
};

/** 0 below -3, 1 above 3, x / 3 + 1 / 2 between. */
function hardSwish(step: Step): Value {
  const line = step.op("Add", step.times(step.x(), 1 / 3), step.number(0.5));
  const inside = step.op("Less", step.op("Abs", step.x()), step.number(3));
  const outside = step.op("Max", step.op("Sign", step.x()), step.number(0));
  return step.op("Where", inside, line, outside);
}

/** Phi(x) + x phi(x) of the normal distribution, in few passes: with s = x / sqrt(2), (1 + erf(s)) / 2 + s exp(-s^2 - log sqrt(pi)). */
function gelu(step: Step): Value {
  const s = step.times(step.x(), Math.SQRT1_2);
  // (1 + erf) / 2 lies between the bounds 0 and 1 of HardSigmoid, which is a line there.
  const distribution = step.with({ alpha: float(0.5), beta: float(0.5) }, "HardSigmoid", step.op("Erf", s));
  const density = step.op("Exp", step.op("Sub", step.number(-0.5 * Math.log(Math.PI)), square(step, s)));
  return step.op("Add", distribution, step.op("Mul", s, density));
}

/** y = x (1 + t) / 2, t = tanh(a (x + b x^3)): (1 + t) / 2 + x (1 - t^2) a (1 + 3 b x^2) / 2. */
function tanhGelu(step: Step): Value {
  const a = Math.sqrt(2 / Math.PI);
  const b = 0.044715;
  const x = step.x();
  const x2 = square(step, x);
  const t = step.op("Tanh", step.op("Mul", x, step.op("Add", step.times(x2, a * b), step.number(a))));
  const slope = step.op("Mul", x, step.op("Add", step.times(x2, (3 * a * b) / 2), step.number(a / 2)));
  const half = step.op("Add", step.times(t, 0.5), step.number(0.5));
  return step.op("Add", half, step.op("Mul", oneMinus(step, square(step, t)), slope));
}
