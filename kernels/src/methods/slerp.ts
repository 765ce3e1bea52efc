// Spherical interpolation between the base and one model, each tensor as one vector. The angle is
// found in float64; applied, as in mergekit, to the vectors as they are and not to their directions.
import { abs, acos, add, constant, div, dotOver, type F32, gt, mul, select, sin, sqrt, sub, wide } from "../expr.ts";
import type { MergeMethod } from "../method.ts";

/** The norm, or 1 where there is nothing to normalise. */
function normOf(x: F32): F32 {
  const norm = sqrt(dotOver("tensor", x, x));
  return select(gt(norm, 1e-8), norm, constant(1));
}

export const slerp: MergeMethod = {
  name: "slerp",
  summary: "Spherical linear interpolation from the base to the model, tensor by tensor.",
  reference: "Shoemake 1985; mergekit slerp",
  base: "required",
  minModels: 1,
  maxModels: 1,
  companions: [],
  parameters: {
    t: { kind: "number", scope: "global", doc: "Where between the base (0) and the model (1)." },
  },
  build: (m) => {
    const [model, t] = [m.models[0]!, m.param("t")];
    const cosine = div(dotOver("tensor", m.base, model), mul(normOf(m.base), normOf(model)));
    const angle = acos(cosine);
    const colinear = gt(abs(cosine), 0.9995);
    const share = (linear: F32, part: F32): F32 => wide(select(colinear, linear, div(sin(part), sin(angle))));
    const ofBase = share(sub(1, t), sub(angle, mul(angle, t)));
    const ofModel = share(t, mul(angle, t));
    return add(mul(ofBase, m.base), mul(ofModel, model));
  },
};
