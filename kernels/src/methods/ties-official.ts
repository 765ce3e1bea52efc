// TIES as the paper's code computes it: one magnitude threshold for each whole model, the sign of a
// tied entry decided by the majority over the whole model. mergekit's variant is in ties.ts.
import {
  abs,
  add,
  and,
  div,
  elements,
  eq,
  type F32,
  floor,
  ge,
  gt,
  kthLargest,
  lt,
  max,
  mul,
  or,
  select,
  sum,
  sumOver,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { density, lambda } from "./parameters.ts";
import { agreeing, taskVectors } from "./parts.ts";

/** The task vectors, each trimmed to the largest magnitudes of its whole model. */
export const keptOverModel = (m: MethodContext): F32[] =>
  taskVectors(m).map((delta, i) => {
    // The reference keeps one entry more than the fraction asks for, and all that equal the last one.
    const threshold = kthLargest("model", abs(delta), add(floor(mul(m.params("density")[i]!, elements)), 1));
    return select(ge(abs(delta), threshold), delta, 0);
  });

/** What the entries with the elected sign come to: their mean, sum, or the largest of them. */
export function disjointMerge(kept: readonly F32[], merge: "mean" | "sum" | "max"): F32 {
  const total = sum(kept);
  const majority = sumOver("model", select(gt(total, 0), 1, select(lt(total, 0), -1, 0)));
  const positive = or(gt(total, 0), and(eq(total, 0), ge(majority, 0)));
  const agrees = agreeing(kept, positive);
  const chosen = kept.map((x, i) => select(agrees[i]!, x, 0));
  switch (merge) {
    case "mean":
      return div(sum(chosen), max(sum(agrees.map((a) => select(a, 1, 0))), 1));
    case "sum":
      return sum(chosen);
    case "max":
      return mul(chosen.map(abs).reduce(max), select(positive, 1, -1));
  }
}

export const tiesOfficial: MergeMethod = {
  name: "ties_official",
  summary:
    "TIES-Merging of the paper: trimmed over the whole model, unweighted sign election, disjoint mean, sum or max.",
  reference: "TIES-Merging, arXiv 2306.01708 (prateeky2806/ties-merging)",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    density: { ...density, default: 0.2, constant: true },
    lambda,
    merge: {
      kind: "enum",
      scope: "global",
      choices: ["mean", "sum", "max"],
      default: "mean",
      doc: "How agreeing entries are merged.",
    },
  },
  build: (m) => {
    const merged = disjointMerge(keptOverModel(m), m.choice("merge") as "mean" | "sum" | "max");
    return add(m.base, mul(merged, m.param("lambda")));
  },
};
