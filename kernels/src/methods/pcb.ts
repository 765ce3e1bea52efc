// PCB-Merging: entries compete within their model by magnitude and between models by agreement, the weakest of each model are
// dropped and the rest averaged by what they scored. As the paper's three programs compute it, over the whole model.
import {
  abs,
  add,
  constant,
  div,
  elements,
  type F32,
  floor,
  ge,
  gt,
  kthLargest,
  lt,
  max,
  maximumOver,
  minimumOver,
  mul,
  neg,
  select,
  sub,
  sum,
} from "../expr.ts";
import type { MergeMethod, MethodContext } from "../method.ts";
import { exp, tanh } from "../transcendental.ts";
import { lambda, weight } from "./parameters.ts";
import { clamp, taskVectors } from "./parts.ts";

/** From 0 to 1 over the whole model; 0 where all values are equal. */
function scaled(x: F32): F32 {
  const [low, high] = [minimumOver("model", x), maximumOver("model", x)];
  const range = sub(high, low);
  return select(gt(range, 0), div(sub(x, low), range), 0);
}

/** The value at an index of the ascending order, by its rank from the top. */
const ascending = (x: F32, index: F32): F32 => kthLargest("model", x, sub(elements, index));
const signed = (size: F32, like: F32): F32 => select(lt(like, 0), neg(size), select(gt(like, 0), size, 0));

/** How much each model's entry agrees with the others', its sign included. */
function agreement(m: MethodContext, vectors: readonly F32[], relative: readonly F32[]): F32[] {
  const directions = relative.map((size, i) => signed(size, vectors[i]!));
  switch (m.choice("competition")) {
    case "normalized_sum":
      return vectors.map((x) => tanh(mul(x, sum(directions))));
    case "normalized_pairs":
      return directions.map((x) => sum(directions.map((y) => tanh(mul(x, y)))));
    default:
      return vectors.map((x) => tanh(mul(x, sum(vectors))));
  }
}

export const pcb: MergeMethod = {
  name: "pcb",
  summary: "Average of the task vectors' strongest entries by a score of magnitude and of agreement between models.",
  reference: "PCB-Merging, arXiv 2410.02396 (duguodong7/pcb-merging)",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    weight: { ...weight, default: 1 },
    density: {
      kind: "number",
      scope: "global",
      default: 0.2,
      min: 0,
      max: 1,
      constant: true,
      doc: "Fraction of each model's entries, the highest scores first, that are kept.",
    },
    lambda,
    clip: {
      kind: "number",
      scope: "global",
      default: 1e-4,
      min: 0,
      max: 0.5,
      constant: true,
      doc: "Fraction of the smallest and of the largest magnitudes of a model that are limited to the next one; the vision program has 0.01.",
    },
    competition: {
      kind: "enum",
      scope: "global",
      choices: ["sum", "normalized_sum", "normalized_pairs"],
      default: "sum",
      doc: "Between models, each entry against: the sum of task vectors (pcb-merging.py), of normalised ones (vision pcb.py), or each normalised one (pcb_ES.py).",
    },
  },
  build: (m) => {
    const vectors = taskVectors(m);
    const clip = m.param("clip");
    const sizes = vectors.map((x) => {
      const size = abs(x);
      const low = ascending(size, floor(mul(elements, clip)));
      const high = ascending(size, floor(sub(mul(elements, sub(1, clip)), 1)));
      // No magnitude is limited in a model too small to have a second one, where the rank is below all.
      return clamp(size, low, select(ge(high, 0), high, Infinity));
    });
    const relative = sizes.map(scaled);
    const shares = agreement(m, vectors, relative).map((cross, i) => {
      const score = mul(exp(mul(constant(vectors.length), mul(relative[i]!, relative[i]!))), cross);
      const last = floor(mul(elements, sub(1, m.param("density"))));
      const threshold = ascending(score, select(lt(last, elements), last, sub(elements, 1)));
      return scaled(max(score, threshold));
    });
    const weighted = shares.map((share, i) => mul(mul(m.params("weight")[i]!, share), signed(sizes[i]!, vectors[i]!)));
    const merged = div(sum(weighted), max(sum(shares), 1e-12));
    return add(m.base, mul(merged, m.param("lambda")));
  },
};
