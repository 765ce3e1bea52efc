// DF-Merge's merge step (DF-1). Whether its Fisher information is that of the models or, as the paper has it, of the models
// scaled by their coefficients, is not decided here. Note the factor M: with equal importance this is task arithmetic, not an average.
import { add, constant, div, mul, sub, sum } from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { perNorm } from "./parts.ts";

export const dfMerge: MergeMethod = {
  name: "df_merge",
  summary: "Base plus M times the importance-weighted mean of the scaled task vectors.",
  reference: "DF-Merge, arXiv 2504.18992 (sanwooo/df-merge)",
  base: "required",
  minModels: 1,
  companions: ["fisher"],
  conditionedOn: "weight",
  parameters: {
    weight: { kind: "number", scope: "model", doc: "Scale lambda_i of the model's task vector." },
    normalize: {
      kind: "enum",
      scope: "global",
      choices: ["none", "l2"],
      default: "none",
      doc: "l2 divides each model's Fisher information by its L2 norm over the whole model, as Fisher merging does; the paper does not.",
    },
    epsilon: { kind: "number", scope: "global", default: 1e-12, min: 0, doc: "Added to the Fisher information." },
  },
  build: (m) => {
    const weights = m.params("weight");
    const normalize = m.choice("normalize") === "l2";
    const importance = m.companions("fisher").map((information) => {
      const scaled = normalize ? mul(perNorm(constant(1), information), information) : information;
      return add(scaled, m.param("epsilon"));
    });
    const scaled = m.models.map((model, i) => mul(importance[i]!, mul(weights[i]!, sub(model, m.base))));
    return add(m.base, div(mul(sum(scaled), m.models.length), sum(importance)));
  },
};
