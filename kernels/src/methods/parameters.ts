// Parameters several methods share, with mergekit's names and meanings.
import type { BooleanParameter, NumberParameter } from "../method.ts";

export const weight: NumberParameter = {
  kind: "number",
  scope: "model",
  held: true,
  doc: "Coefficient of the model.",
};

export const lambda: NumberParameter = {
  kind: "number",
  scope: "global",
  default: 1,
  doc: "Scale of the merged task vector before it is added to the base.",
};

export const density: NumberParameter = {
  kind: "number",
  scope: "model",
  default: 1,
  min: 0,
  max: 1,
  doc: "Fraction of the model's task vector that is kept, the largest magnitudes first.",
};

export const normalize = (byDefault: boolean): BooleanParameter => ({
  kind: "boolean",
  scope: "global",
  default: byDefault,
  doc: "Divide by the sum of the weights that took part.",
});

export const rescale = (byDefault: boolean): BooleanParameter => ({
  kind: "boolean",
  scope: "global",
  default: byDefault,
  doc: "Scale what is kept of a task vector so that its L1 norm in the tensor stays what it was.",
});

export const int8Mask: BooleanParameter = {
  kind: "boolean",
  scope: "global",
  default: false,
  doc: "mergekit's memory-saving switch.",
  ignored: "masks are never stored here, and in mergekit it does not change the result",
};
