// Reinforced agent merging: averages entries that several models changed, keeps those only one did;
// ramplus_tl also amplifies the latter where a model shares much with the others.
import { abs, add, and, countOver, div, type F32, gt, type Mask, max, mul, not, select, sum, wide } from "../expr.ts";
import type { MergeMethod, MethodContext, NumberParameter } from "../method.ts";
import { clamp, taskVectors } from "./parts.ts";

const epsilon: NumberParameter = {
  kind: "number",
  scope: "global",
  default: 1e-5,
  min: 0,
  doc: "Magnitude above which an entry of a task vector counts as changed.",
};

interface Changed {
  readonly vectors: readonly F32[];
  readonly active: readonly Mask[];
  /** How many models changed the entry. */
  readonly count: F32;
}

function changed(m: MethodContext): Changed {
  const vectors = taskVectors(m);
  const active = vectors.map((x) => gt(abs(x), m.param("epsilon")));
  return { vectors, active, count: sum(active.map((a) => select(a, 1, 0))) };
}

const ontoBase = (m: MethodContext, { active, count }: Changed, vectors: readonly F32[]): F32 =>
  add(m.base, sum(vectors.map((x, i) => select(active[i]!, div(x, max(count, 1)), 0))));

export const ram: MergeMethod = {
  name: "ram",
  summary: "Base plus each entry's mean over the task vectors that change it.",
  reference: "Reinforced agent merging, arXiv 2601.13572; mergekit ram",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: { epsilon },
  mergekit: "everyOperation",
  build: (m) => {
    const found = changed(m);
    return ontoBase(m, found, found.vectors);
  },
};

export const ramplusTl: MergeMethod = {
  ...ram,
  name: "ramplus_tl",
  summary: "As ram, with entries that one model alone changes scaled up, by tensor, where it shares many with others.",
  reference: "Reinforced agent merging, arXiv 2601.13572; mergekit ramplus_tl",
  parameters: {
    r: { kind: "number", scope: "global", default: 0.1, doc: "Strength of the amplification." },
    alpha: { kind: "number", scope: "global", default: 0.2, doc: "Upper bound of shared by unique entries." },
    epsilon,
  },
  mergekit: "never",
  build: (m) => {
    const found = changed(m);
    const several = gt(found.count, 1);
    const amplified = found.vectors.map((x, i) => {
      const shared = countOver("tensor", and(found.active[i]!, several));
      const unique = countOver("tensor", and(found.active[i]!, not(several)));
      const ratio = clamp(div(shared, max(unique, m.param("epsilon"))), 0, m.param("alpha"));
      return select(several, x, mul(x, wide(add(1, mul(m.param("r"), ratio)))));
    });
    return ontoBase(m, found, amplified);
  },
};
