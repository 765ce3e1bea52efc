// TIES as mergekit computes it: trimmed per tensor to exactly int(density * n) entries, weights
// included in the sign election. The paper's own rule is in ties-official.ts.
import { abs, add, div, elements, eq, floor, ge, largest, mul, select, sub, sum } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { density, int8Mask, lambda, normalize, rescale, weight } from "./parameters.ts";
import { agreeing, rescaledL1 } from "./parts.ts";

export const ties: MergeMethod = {
  name: "ties",
  summary:
    "Trims each task vector per tensor, elects a sign for each entry and averages the entries that agree with it.",
  reference: "TIES-Merging, arXiv 2306.01708, as implemented by mergekit's ties",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: { weight, density, lambda, normalize: normalize(true), rescale: rescale(false), int8_mask: int8Mask },
  build: (m) => {
    const [weights, densities] = [m.params("weight"), m.params("density")];
    const weighted = m.models.map((model, i) => {
      const delta = sub(model, m.base);
      const kept = select(largest("tensor", abs(delta), floor(mul(densities[i]!, elements))), delta, 0);
      return mul(m.flag("rescale") ? rescaledL1("tensor", kept, delta) : kept, weights[i]!);
    });
    const agrees = agreeing(weighted, ge(sum(weighted), 0));
    const total = sum(weighted.map((x, i) => select(agrees[i]!, x, 0)));
    const divisor = sum(weights.map((w, i) => select(agrees[i]!, w, 0)));
    const mixed = m.flag("normalize") ? div(total, select(eq(divisor, 0), 1, divisor)) : total;
    return add(m.base, mul(mixed, m.param("lambda")));
  },
};
