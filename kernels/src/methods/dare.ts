// DARE: drops entries of each task vector at random and scales up the rest, by the L1 norm as
// mergekit does or by 1 / density as in the paper. dare_ties adds mergekit's sign election.
import { div, type F32, inFloat32, lt, max, mul, random, select } from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { density, int8Mask, lambda, normalize, rescale, weight } from "./parameters.ts";
import { electedSum, rescaledL1, taskVectors, weightedSum } from "./parts.ts";

function dropped(m: MethodContext): F32[] {
  const densities = m.params("density");
  return taskVectors(m).map((vector, i) =>
    inFloat32(vector, (delta) => {
      const kept = select(lt(random(i, lt(densities[i]!, 1)), densities[i]!), delta, 0);
      if (!m.flag("rescale")) return kept;
      if (m.choice("rescale_by") === "l1") return rescaledL1("tensor", kept, delta);
      // Where the density is 0 nothing is kept that could be scaled.
      return mul(kept, div(1, max(densities[i]!, 1e-30)));
    }),
  );
}

export const dareLinear: MergeMethod = {
  name: "dare_linear",
  summary: "Weighted sum of the task vectors, each with entries dropped at random and the rest scaled up.",
  reference: "DARE, arXiv 2311.03099; mergekit dare_linear",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    weight,
    density: { ...density, doc: "Probability with which an entry of the model's task vector is kept." },
    lambda,
    normalize: normalize(false),
    rescale: { ...rescale(true), doc: "Scale up what is kept of a task vector; see rescale_by." },
    rescale_by: {
      kind: "enum",
      scope: "global",
      choices: ["l1", "inverse_density"],
      default: "l1",
      doc: "l1 keeps each tensor's L1 norm, as mergekit does; inverse_density divides by density, as the paper does.",
    },
    int8_mask: int8Mask,
  },
  mergekit: "everyOperation",
  build: (m) => weightedSum(m, dropped(m)),
};

export const dareTies: MergeMethod = {
  ...dareLinear,
  name: "dare_ties",
  summary: "As dare_linear, with a sign elected for each entry and the others dropped.",
  reference: "mergekit dare_ties (arXiv 2311.03099 and 2306.01708)",
  build: (m) => electedSum(m, dropped(m)),
};
