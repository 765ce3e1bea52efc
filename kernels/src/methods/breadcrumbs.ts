// Model Breadcrumbs: drops the largest outliers and the smallest entries of each task vector. With
// mergekit's names; by row it is the paper's code. breadcrumbs_ties adds mergekit's sign election.
import { abs, add, and, elements, eq, type F32, floor, ge, largest, min, mul, not, select, sub } from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { density, int8Mask, lambda, normalize, rescale, weight } from "./parameters.ts";
import { electedSum, rescaledL1, taskVectors, weightedSum } from "./parts.ts";

function crumbs(m: MethodContext): F32[] {
  const scope = m.choice("granularity") === "row" ? "row" : "tensor";
  const [densities, gammas] = [m.params("density"), m.params("gamma")];
  return taskVectors(m).map((delta, i) => {
    const kept = floor(mul(densities[i]!, elements));
    const outliers = min(floor(mul(gammas[i]!, elements)), sub(elements, kept));
    const upTo = add(outliers, kept);
    // A slice that ends at minus zero outliers is empty in mergekit, and the whole task vector is lost.
    const lost = m.choice("without_outliers") === "drop" ? select(eq(outliers, 0), 0, upTo) : upTo;
    const first = largest(scope, abs(delta), select(ge(densities[i]!, 1), elements, lost));
    const sparse = select(and(first, not(largest(scope, abs(delta), outliers))), delta, 0);
    return m.flag("rescale") ? rescaledL1("tensor", sparse, delta) : sparse;
  });
}

export const breadcrumbs: MergeMethod = {
  name: "breadcrumbs",
  summary: "Sum of task vectors without their largest outliers and their smallest entries.",
  reference: "Model Breadcrumbs, arXiv 2312.06795; mergekit breadcrumbs",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    weight,
    density: { ...density, doc: "Fraction of the task vector that is kept." },
    gamma: {
      kind: "number",
      scope: "model",
      default: 0.01,
      min: 0,
      max: 1,
      doc: "Fraction of the task vector, its largest magnitudes, that is dropped; less where density leaves less.",
    },
    lambda,
    normalize: normalize(false),
    rescale: rescale(false),
    granularity: {
      kind: "enum",
      scope: "global",
      choices: ["tensor", "row"],
      default: "tensor",
      doc: "Fractions of each tensor, as in mergekit, or of each row (run of the last dimension), as in the paper's code.",
    },
    without_outliers: {
      kind: "enum",
      scope: "global",
      choices: ["drop", "keep"],
      default: "drop",
      doc: "Where gamma is less than one entry: drop the whole task vector, as mergekit does, or only the smallest entries.",
    },
    int8_mask: int8Mask,
  },
  mergekit: "everyOperation",
  build: (m) => weightedSum(m, crumbs(m)),
};

export const breadcrumbsTies: MergeMethod = {
  ...breadcrumbs,
  name: "breadcrumbs_ties",
  summary: "As breadcrumbs, with a sign elected for each entry and the others dropped.",
  reference: "mergekit breadcrumbs_ties (arXiv 2312.06795 and 2306.01708)",
  build: (m) => electedSum(m, crumbs(m)),
};
