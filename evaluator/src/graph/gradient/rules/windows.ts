/**
 * What convolutions and pools look at, window by window. Windows are taken out by a convolution with kernels that have a single one in them, and put back by its
 * transpose, so that strides, dilations and padding need no arithmetic here.
 */

import { int, ints } from "../../attributes.ts";
import type { Value } from "../../builder.ts";
import type { Step } from "../step.ts";
import { spatialAxes } from "./channels.ts";

export interface Windows {
  /** Sizes of a window, and how many elements it has. */
  readonly kernel: readonly number[];
  readonly size: number;
  readonly channels: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before each axis, then after each. */
  readonly pads: readonly number[];
}

/** @throws EvaluatorError for what is not known before the graph runs, and for paddings that depend on sizes */
export function windowsOf(step: Step, kernel: readonly unknown[], channels: unknown): Windows {
  const padding = step.string("auto_pad", "NOTSET");
  if (padding.startsWith("SAME") || step.int("ceil_mode", 0) !== 0) {
    throw step.error("auto_pad and ceil_mode cannot be differentiated; export the model with explicit pads");
  }
  if (!kernel.every((size) => typeof size === "number") || typeof channels !== "number") {
    throw step.error("the numbers of channels and the sizes of windows must be fixed to be differentiated");
  }
  if (step.layout.perItem && !step.hasItems(step.x())) {
    throw step.error("does not read values of items, so their gradients cannot be kept apart");
  }
  const ones = kernel.map(() => 1);
  return {
    kernel,
    size: kernel.reduce((a, b) => a * b, 1),
    channels,
    strides: step.ints("strides") ?? ones,
    dilations: step.ints("dilations") ?? ones,
    pads: (padding === "VALID" ? undefined : step.ints("pads")) ?? [...ones, ...ones].map(() => 0),
  };
}

/** All windows of `x`, which is padded already if `padded`: `[items, channels, size, ...places]` with the first two folded to `[items, channels * size]`. */
export function takeWindows(step: Step, x: Value, windows: Windows, padded = false): Value {
  const { strides, dilations, channels, pads } = windows;
  const attributes = {
    strides: ints(...strides),
    dilations: ints(...dilations),
    pads: ints(...(padded ? pads.map(() => 0) : pads)),
    group: int(channels),
  };
  return step.with(attributes, "Conv", x, unitKernels(step, windows));
}

/** The gradient of `x` from those of its windows, or from those of a convolution with `kernels`. */
export function putBack(step: Step, parts: Value, kernels: Value, group: number, windows: Windows): Value {
  const { strides, dilations, pads } = windows;
  const begins = pads.slice(0, pads.length / 2);
  const attributes = {
    strides: ints(...strides),
    dilations: ints(...dilations),
    pads: ints(...begins, ...begins.map(() => 0)),
    group: int(group),
  };
  const sum = step.with(attributes, "ConvTranspose", parts, kernels);
  // At the end lie padding, to be cropped by padding with negative numbers, and what no window sees.
  const axes = spatialAxes(step.rank(step.x()));
  const start = { start: int(2) };
  const missing = step.op("Sub", step.with(start, "Shape", step.x()), step.with(start, "Shape", sum));
  const none = step.tape.int64s(...axes.map(() => 0));
  const ends = step.with({ axis: int(0) }, "Concat", none, missing);
  return step.op("Pad", sum, ends, step.number(0), step.tape.int64s(...axes));
}

/** Kernels `[channels * size, 1, ...kernel]`, each with a one at another place. */
export function unitKernels(step: Step, { kernel, size, channels }: Windows): Value {
  const { tape } = step;
  const square = step.op("ConstantOfShape", tape.int64s(size, size));
  const units = step.op("Reshape", step.op("EyeLike", square), tape.int64s(size, 1, ...kernel));
  return step.op("Tile", units, tape.int64s(channels, ...[1, ...kernel].map(() => 1)));
}

/** `x` with the lowest number around it, so that no padding is the largest of a window. */
export function padLowest(step: Step, x: Value, { pads }: Windows): Value {
  if (pads.every((pad) => pad === 0)) return x;
  const lowest = step.number(-3.4028234663852886e38);
  return step.op("Pad", x, step.tape.int64s(...pads), lowest, step.tape.int64s(...spatialAxes(step.rank(x))));
}
