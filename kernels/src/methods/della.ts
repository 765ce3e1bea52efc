// DELLA: drops entries of each task vector at random, small magnitudes of a row more often than large
// ones. The rest is scaled up by the L1 norm as mergekit does, or each by its own probability as in the
// paper. della has mergekit's sign election, della_linear does not.
import {
  abs,
  add,
  and,
  div,
  type F32,
  ge,
  gt,
  inFloat32,
  le,
  lt,
  max,
  mul,
  random,
  rankInRow,
  select,
  sub,
  wide,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { density, int8Mask, lambda, normalize, rescale, weight } from "./parameters.ts";
import { electedSum, rescaledL1, taskVectors, weightedSum } from "./parts.ts";

/** With which probability each entry of each task vector is kept. */
export function keepProbabilities(m: MethodContext): F32[] {
  const [densities, epsilons] = [m.params("density"), m.params("epsilon")];
  return taskVectors(m).map((delta, i) => keepProbability(delta, densities[i]!, epsilons[i]!));
}

function keepProbability(delta: F32, middle: F32, epsilon: F32): F32 {
  const ranked = add(wide(sub(middle, epsilon)), mul(mul(rankInRow(abs(delta)), 2), epsilon));
  return select(ge(middle, 1), 1, select(le(middle, 0), 0, ranked));
}

function dropped(m: MethodContext): F32[] {
  const [densities, epsilons] = [m.params("density"), m.params("epsilon")];
  return taskVectors(m).map((vector, i) =>
    inFloat32(vector, (delta) => {
      const probability = keepProbability(delta, densities[i]!, epsilons[i]!);
      const draws = and(gt(densities[i]!, 0), lt(densities[i]!, 1));
      const kept = select(lt(random(i, draws), probability), delta, 0);
      if (!m.flag("rescale")) return kept;
      if (m.choice("rescale_by") === "l1") return rescaledL1("tensor", kept, delta);
      // Probabilities above 1 are 1; where one is 0 nothing is kept that could be scaled.
      return div(kept, max(select(lt(probability, 1), probability, 1), 1e-30));
    }),
  );
}

export const della: MergeMethod = {
  name: "della",
  summary: "As dare_ties, with entries dropped by the rank of their magnitude in the row: small ones more often.",
  reference: "DELLA-Merging, arXiv 2406.11617; mergekit della",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    weight,
    density: { ...density, doc: "Mean probability with which an entry of the model's task vector is kept." },
    epsilon: {
      kind: "number",
      scope: "model",
      default: 0.15,
      min: 0,
      max: 1,
      doc: "The smallest magnitude of a row is kept with density - epsilon, the largest with density + epsilon.",
    },
    lambda,
    normalize: normalize(true),
    rescale: { ...rescale(true), doc: "Scale up what is kept of a task vector; see rescale_by." },
    rescale_by: {
      kind: "enum",
      scope: "global",
      choices: ["l1", "inverse_probability"],
      default: "l1",
      doc: "l1 keeps each tensor's L1 norm, as mergekit does; inverse_probability divides each entry by its own, as the paper does.",
    },
    int8_mask: int8Mask,
  },
  mergekit: "everyOperation",
  build: (m) => electedSum(m, dropped(m)),
};

export const dellaLinear: MergeMethod = {
  ...della,
  name: "della_linear",
  summary: "As della, without the sign election.",
  reference: "mergekit della_linear (arXiv 2406.11617)",
  parameters: { ...della.parameters, normalize: normalize(false) },
  build: (m) => weightedSum(m, dropped(m)),
};
