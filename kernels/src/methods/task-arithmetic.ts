// Task arithmetic: the base plus a weighted sum of task vectors, float32 rounding as in mergekit.
import type { MergeMethod } from "../method.ts";
import { density, int8Mask, lambda, normalize, weight } from "./parameters.ts";
import { taskVectors, weightedSum } from "./parts.ts";

const notSparse = "task arithmetic keeps every entry; use ties or another sparsifying method";

export const taskArithmetic: MergeMethod = {
  name: "task_arithmetic",
  summary: "Base plus lambda times the weighted sum of the task vectors (model minus base).",
  reference: "arXiv 2212.04089; mergekit task_arithmetic",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    weight,
    lambda,
    normalize: normalize(false),
    density: { ...density, ignored: notSparse },
    rescale: { kind: "boolean", scope: "global", default: false, doc: "See ties.", ignored: notSparse },
    int8_mask: int8Mask,
  },
  mergekit: "everyOperation",
  build: (m) => weightedSum(m, taskVectors(m)),
};
