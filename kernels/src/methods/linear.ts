// Weighted average of the models, float32 rounding as in mergekit's `linear`.
import { div, mul, sum } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { normalize, weight } from "./parameters.ts";

export const linear: MergeMethod = {
  name: "linear",
  summary: "Weighted average of the models: sum of weight times model, divided by the sum of the weights.",
  reference: "Model soups, arXiv 2203.05482; mergekit linear",
  base: "none",
  minModels: 1,
  companions: [],
  parameters: { weight, normalize: normalize(true) },
  mergekit: "everyOperation",
  build: (m) => {
    const weights = m.params("weight");
    const total = sum(m.models.map((x, i) => mul(x, weights[i]!)));
    return m.flag("normalize") ? div(total, sum(weights)) : total;
  },
};
