// TIES as mergekit computes it: trimmed per tensor to exactly int(density * n) entries, weights
// included in the sign election. The paper's own rule is in ties-official.ts.
import { abs, elements, floor, largest, mul, select } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { density, int8Mask, lambda, normalize, rescale, weight } from "./parameters.ts";
import { electedSum, rescaledL1, taskVectors } from "./parts.ts";

export const ties: MergeMethod = {
  name: "ties",
  summary:
    "Trims each task vector per tensor, elects a sign for each entry and averages the entries that agree with it.",
  reference: "TIES-Merging, arXiv 2306.01708, as implemented by mergekit's ties",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: { weight, density, lambda, normalize: normalize(true), rescale: rescale(false), int8_mask: int8Mask },
  mergekit: "everyOperation",
  build: (m) => {
    const densities = m.params("density");
    const trimmed = taskVectors(m).map((delta, i) => {
      const kept = select(largest("tensor", abs(delta), floor(mul(densities[i]!, elements))), delta, 0);
      return m.flag("rescale") ? rescaledL1("tensor", kept, delta) : kept;
    });
    return electedSum(m, trimmed);
  },
};
