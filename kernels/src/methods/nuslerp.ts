// NuSLERP: spherical interpolation of two models by their weights, or of their task vectors when
// there is a base; whole tensors or rows. Angles are found in float64.
import {
  abs,
  acos,
  add,
  div,
  dotOver,
  type F32,
  le,
  lt,
  max,
  mul,
  once,
  type Scope,
  select,
  sin,
  sqrt,
  sub,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { weight } from "./parameters.ts";
import { clamp, taskVectors } from "./parts.ts";

export const nuslerp: MergeMethod = {
  name: "nuslerp",
  summary: "Spherical linear interpolation of two models, or of their task vectors, by their weights.",
  reference: "mergekit nuslerp",
  base: "optional",
  minModels: 2,
  maxModels: 2,
  companions: [],
  parameters: {
    weight: { ...weight, held: false },
    nuslerp_flatten: {
      kind: "boolean",
      scope: "global",
      default: true,
      doc: "Interpolate whole tensors; false interpolates each row, a run of the last dimension.",
    },
    nuslerp_row_wise: {
      kind: "boolean",
      scope: "global",
      default: false,
      doc: "With nuslerp_flatten: false, vectors along the first dimension, which is refused: not supported.",
    },
  },
  mergekit: "everyOperation",
  build: (m) => {
    if (m.flag("nuslerp_row_wise") && !m.flag("nuslerp_flatten"))
      throw new RangeError("nuslerp: nuslerp_row_wise with nuslerp_flatten: false is not supported: set one of them");
    const scope: Scope = m.flag("nuslerp_flatten") ? "tensor" : "row";
    const [x, y] = (m.hasBase ? taskVectors(m) : m.models) as [F32, F32];
    const [first, second] = m.params("weight") as [F32, F32];
    const total = add(first, second);
    const t = select(lt(abs(total), 1e-6), 0.5, div(second, total));
    if (m.asMergekit) return withBase(m, asMergekit(scope, t, x, y));
    const norm = (v: F32): F32 => max(sqrt(dotOver(scope, v, v)), 1e-7);
    const angle = acos(clamp(div(dotOver(scope, x, y), mul(norm(x), norm(y))), -1, 1));
    const colinear = lt(abs(sin(angle)), 1e-8);
    const share = (of: F32): F32 => wide(select(colinear, of, div(sin(mul(of, angle)), sin(angle))));
    const mixed = add(mul(share(sub(1, t)), x), mul(share(t), y));
    return withBase(m, mixed);
  },
};

const withBase = (m: MethodContext, mixed: F32): F32 => (m.hasBase ? add(m.base, mixed) : mixed);

/** The angle between directions that were rounded, and the shares' common divisor last. */
function asMergekit(scope: Scope, t: F32, x: F32, y: F32): F32 {
  const direction = (v: F32): F32 =>
    div(
      v,
      max(
        once([v], (w) => sqrt(dotOver(scope, w as F32, w as F32))),
        1e-7,
      ),
    );
  const angle = acos(clamp(sumOver(scope, mul(direction(x), direction(y))), -1, 1));
  const share = (part: F32, v: F32): F32 => mul(sin(mul(part, angle)), v);
  const spherical = div(add(share(sub(1, t), x), share(t, y)), sin(angle));
  return select(le(abs(sin(angle)), 1e-8), add(mul(sub(1, t), x), mul(t, y)), spherical);
}
