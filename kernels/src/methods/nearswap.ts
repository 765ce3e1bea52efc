// NearSwap: moves towards the model where it is near the base, and stays at the base where it is not.
import { abs, add, div, max, mul, sub } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { clamp } from "./parts.ts";

export const nearswap: MergeMethod = {
  name: "nearswap",
  summary: "Interpolates each entry towards the model by t divided by its distance from the base, at most 1.",
  reference: "mergekit nearswap (alchemonaut/QuartetAnemoi)",
  base: "required",
  minModels: 1,
  maxModels: 1,
  companions: [],
  parameters: {
    t: { kind: "number", scope: "global", min: 0, doc: "Distance up to which the model's value is taken whole." },
  },
  mergekit: "everyOperation",
  build: (m) => {
    const model = m.models[0]!;
    // The reciprocal, rounded, times t: how torch divides a number by a tensor.
    const weight = clamp(mul(div(1, max(abs(sub(m.base, model)), 1e-6)), m.param("t")), 0, 1);
    return add(mul(weight, model), mul(sub(1, weight), m.base));
  },
};
