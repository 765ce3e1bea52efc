/** Normalisations along axes. */

import { int } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Rules } from "../rule.ts";
import type { Step } from "../step.ts";
import { channelSum, channels } from "./channels.ts";

export const normalisations: Rules = {
  Softmax: [
    (step) =>
      step.op("Mul", step.y(), step.op("Sub", step.dy, sum(step, step.times(step.dy, step.y()), softAxes(step)))),
  ],
  LogSoftmax: [
    (step) => step.op("Sub", step.dy, step.op("Mul", step.op("Exp", step.y()), sum(step, step.dy, softAxes(step)))),
  ],
  LayerNormalization: [
    layerNormInput,
    (step) => step.sumTo(step.times(step.dy, layerNormalised(step).normalised), 1),
    (step) => step.sumTo(step.dy, 2),
  ],
  BatchNormalization: [
    (step) => step.times(step.dy, channelSlope(step)),
    (step) => channelSum(step, step.times(step.dy, batchNormalised(step)), 1),
    (step) => channelSum(step, step.dy, 2),
    (step) => channelSum(step, step.op("Neg", step.times(step.dy, channelSlope(step))), 3),
    (step) => {
      const varied = step.op("Mul", batchNormalised(step), step.op("Mul", channelSlope(step), batchScale(step)));
      return channelSum(step, step.times(step.times(step.dy, varied), -0.5), 4);
    },
  ],
};

const sum = (step: Step, x: Value, axes: readonly number[]): Value =>
  step.with({ keepdims: int(1) }, "ReduceSum", x, step.tape.int64s(...axes));

const softAxes = (step: Step): readonly number[] => [step.fromLast(step.int("axis", -1), step.x())];

interface Normalised {
  readonly normalised: Value;
  /** One over the standard deviation. */
  readonly scale: Value;
  readonly axes: readonly number[];
}

/** The mean and the scale are outputs that the operator can give as well. */
function layerNormalised(step: Step): Normalised {
  const first = step.fromLast(step.int("axis", -1), step.x());
  const axes = Array.from({ length: -first }, (_, i) => first + i);
  const scale = step.extraOutput(2);
  return { normalised: step.op("Mul", step.op("Sub", step.x(), step.extraOutput(1)), scale), scale, axes };
}

/** With u what reaches the normalised x^: scale (u - mean(u) - x^ mean(u x^)) (Ba et al., 2016). */
function layerNormInput(step: Step): Value {
  const { normalised, scale, axes } = layerNormalised(step);
  const u = step.times(step.dy, step.x(1));
  const mean = (value: Value): Value => step.with({ keepdims: int(1) }, "ReduceMean", value, step.tape.int64s(...axes));
  const along = step.op("Mul", normalised, mean(step.op("Mul", u, normalised)));
  return step.op("Mul", scale, step.op("Sub", step.op("Sub", u, mean(u)), along));
}

function batchScale(step: Step): Value {
  if (step.int("training_mode", 0))
    throw step.error("in training mode it cannot be differentiated; export the model for inference");
  const deviation = step.op("Sqrt", step.op("Add", step.x(4), step.number(step.float("epsilon", 1e-5))));
  return channels(step, step.op("Reciprocal", deviation));
}

const batchNormalised = (step: Step): Value =>
  step.op("Mul", step.op("Sub", step.x(), channels(step, step.x(3))), batchScale(step));

const channelSlope = (step: Step): Value => step.op("Mul", channels(step, step.x(1)), batchScale(step));
