// Multi-SLERP: the weighted mean of the models' directions, or of their task vectors', with the
// weighted mean of their norms. mergekit's further step through the tangent space at that mean is
// zero but for rounding (the tangents' weighted sum vanishes there), so it is left out.
import {
  add,
  cos,
  div,
  dotOver,
  type F32,
  lt,
  mul,
  once,
  select,
  sin,
  sqrt,
  sub,
  sum,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { weight } from "./parameters.ts";
import { gram, taskVectors } from "./parts.ts";

export const multislerp: MergeMethod = {
  name: "multislerp",
  summary: "The weighted mean direction of the models or task vectors, tensor by tensor, at their mean norm.",
  reference: "goddard.blog, Multi-SLERP; mergekit multislerp",
  base: "optional",
  minModels: 2,
  companions: [],
  parameters: {
    weight,
    normalize_weights: { kind: "boolean", scope: "global", default: true, doc: "Divide the weights by their sum." },
    eps: { kind: "number", scope: "global", default: 1e-8, min: 0, doc: "Added to norms before dividing by them." },
  },
  mergekit: "everyOperation",
  build: (m) => {
    const vectors = m.hasBase ? taskVectors(m) : m.models;
    const given = m.params("weight");
    const weights = m.flag("normalize_weights") ? given.map((w) => div(w, sum(given))) : given;
    if (m.asMergekit) return withBase(m, asMergekit(vectors, weights, m.param("eps")));
    const products = gram("tensor", vectors);
    const norms = products.map((row, i) => sqrt(row[i]!));
    const shares = weights.map((w, i) => div(w, add(norms[i]!, m.param("eps"))));
    const squares = products.flatMap((row, i) => row.map((x, j) => mul(x, mul(shares[i]!, shares[j]!))));
    const length = sqrt(sum(squares));
    const norm = sum(norms.map((n, i) => mul(n, weights[i]!)));
    // Directions that cancel have no mean: then, as mergekit does for two models, the plain weighted sum.
    const balanced = lt(length, m.param("eps"));
    const coefficient = (i: number): F32 => wide(select(balanced, weights[i]!, div(mul(norm, shares[i]!), length)));
    const mixed = sum(vectors.map((x, i) => mul(x, coefficient(i))));
    return withBase(m, mixed);
  },
};

const withBase = (m: MethodContext, mixed: F32): F32 => (m.hasBase ? add(m.base, mixed) : mixed);
const lengthOf = (v: F32): F32 => once([v], (x) => sqrt(dotOver("tensor", x as F32, x as F32)));

/** With the step through the tangent space, which rounding makes more than nothing. */
function asMergekit(vectors: readonly F32[], weights: readonly F32[], eps: F32): F32 {
  const weighted = (xs: readonly F32[]): F32 => sum(xs.map((x, i) => mul(x, weights[i]!)));
  const norms = vectors.map(lengthOf);
  const units = vectors.map((x, i) => div(x, add(norms[i]!, eps)));
  const mean = weighted(units);
  const direction = div(mean, lengthOf(mean));
  const tangent = weighted(units.map((u) => sub(u, mul(sumOver("tensor", mul(u, direction)), direction))));
  const far = add(lengthOf(tangent), eps);
  const moved = add(mul(direction, cos(far)), mul(tangent, div(sin(far), far)));
  return select(lt(lengthOf(mean), eps), weighted(vectors), mul(moved, weighted(norms)));
}
