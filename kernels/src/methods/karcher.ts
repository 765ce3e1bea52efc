// Karcher mean: the point of the sphere nearest to the models' directions along its surface, times
// their mean norm. The iteration runs on the vectors' inner products, in float64, without touching data.
import {
  acos,
  add,
  and,
  constant,
  cos,
  div,
  type F32,
  ge,
  gt,
  lt,
  type Mask,
  max,
  mul,
  select,
  sin,
  sqrt,
  sub,
  sum,
  wide,
} from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { clamp, gram } from "./parts.ts";

const MOST_ITERATIONS = 32;

/** <x, y> of two combinations of unit vectors with these inner products. */
const inner = (products: readonly (readonly F32[])[], x: readonly F32[], y: readonly F32[]): F32 =>
  sum(x.map((a, i) => mul(a, along(products[i]!, y))));
const along = (row: readonly F32[], y: readonly F32[]): F32 => sum(y.map((b, j) => mul(row[j]!, b)));
const scaled = (x: readonly F32[], factor: F32): F32[] => x.map((a) => mul(a, factor));
const length = (products: readonly (readonly F32[])[], x: readonly F32[]): F32 => sqrt(max(inner(products, x, x), 0));
const choose = (mask: Mask, x: readonly F32[], y: readonly F32[]): F32[] => x.map((a, i) => select(mask, a, y[i]!));

export const karcher: MergeMethod = {
  name: "karcher",
  summary: "The mean of the models' directions on the sphere, tensor by tensor, at their mean norm.",
  reference: "Karcher (Riemannian) mean; mergekit karcher",
  base: "none",
  minModels: 2,
  companions: [],
  parameters: {
    max_iter: {
      kind: "number",
      scope: "global",
      default: 10,
      min: 0,
      max: MOST_ITERATIONS,
      doc: "Steps at most.",
    },
    tol: { kind: "number", scope: "global", default: 1e-5, min: 0, doc: "Norms and steps below this are zero." },
  },
  build: (m) => {
    const tol = m.param("tol");
    const dots = gram("tensor", m.models);
    const norms = dots.map((row, i) => sqrt(row[i]!));
    const present = norms.map((n) => gt(n, tol));
    const inverse = norms.map((n, i) => select(present[i]!, div(1, n), 0));
    const units = dots.map((row, i) => row.map((x, j) => mul(x, mul(inverse[i]!, inverse[j]!))));
    const count = max(sum(present.map((p) => select(p, 1, 0))), 1);
    const alphas = present.map((p) => select(p, div(1, count), 0));

    const meanLength = length(units, alphas);
    let noneBefore = constant(1);
    const first = present.map((p) => {
      const here = select(p, noneBefore, 0);
      noneBefore = select(p, 0, noneBefore);
      return here;
    });
    // The mean as a combination of the unit vectors.
    let mean = choose(lt(meanLength, tol), first, scaled(alphas, div(1, meanLength)));
    let active = ge(m.param("max_iter"), 1);
    for (let step = 0; step < MOST_ITERATIONS; step++) {
      const here = mean;
      const cosines = units.map((row) => clamp(along(row, here), -1, 1));
      const pulls = cosines.map((c, i) => {
        const angle = acos(c);
        return select(lt(angle, tol), 0, mul(alphas[i]!, div(angle, sin(angle))));
      });
      const back = sum(pulls.map((p, i) => mul(p, cosines[i]!)));
      const tangent = pulls.map((p, i) => sub(p, mul(back, here[i]!)));
      const far = length(units, tangent);
      active = and(active, ge(far, tol));
      const turn = div(sin(far), far);
      const moved = here.map((x, i) => add(mul(cos(far), x), mul(turn, tangent[i]!)));
      const size = length(units, moved);
      const next = scaled(moved, select(gt(size, tol), div(1, size), 1));
      mean = choose(active, next, here);
      active = and(active, gt(m.param("max_iter"), step + 1));
    }
    const norm = div(sum(norms), m.models.length);
    return sum(m.models.map((x, i) => mul(x, wide(mul(norm, mul(mean[i]!, inverse[i]!))))));
  },
};
