// Model Stock: how far to go from the base to the models' average, from the angles between task vectors.
import {
  abs,
  add,
  constant,
  div,
  dotOver,
  type F32,
  lt,
  max,
  mul,
  once,
  type Scope,
  select,
  sqrt,
  sub,
  sum,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { clamp, taskVectors } from "./parts.ts";

export const modelStock: MergeMethod = {
  name: "model_stock",
  summary: "Interpolates between the base and the models' mean by the mean angle between the task vectors.",
  reference: "Model Stock, arXiv 2403.19522; mergekit model_stock",
  base: "required",
  minModels: 2,
  companions: [],
  parameters: {
    filter_wise: {
      kind: "boolean",
      scope: "global",
      default: false,
      doc: "Angles row by row (runs of the last dimension) instead of tensor by tensor.",
    },
    clamp: {
      kind: "boolean",
      scope: "global",
      default: false,
      doc: "Stay between the base and the models' mean; without it task vectors at obtuse angles lead beyond the base.",
    },
  },
  mergekit: "everyOperation",
  build: (m) => {
    const scope: Scope = m.flag("filter_wise") ? "row" : "tensor";
    const vectors = taskVectors(m);
    const norms = vectors.map((v) => once([v], (x) => sqrt(dotOver(scope, x!, x!))));
    const dot = (x: F32, y: F32): F32 => (m.asMergekit ? sumOver(scope, mul(x, y)) : dotOver(scope, x, y));
    const cosines = vectors.flatMap((x, i) =>
      vectors.slice(i + 1).map((y, k): F32 => {
        const product = max(mul(norms[i]!, norms[i + 1 + k]!), 1e-6);
        return clamp(div(dot(x, y), product), -1, 1);
      }),
    );
    const cosine = once(cosines, (...each) => div(sum(each), each.length));
    const models = vectors.length;
    const divisor = add(1, mul(models - 1, cosine));
    // Task vectors that cancel say nothing of the way to go: the base, where the formula has a pole.
    const ratio = wide(select(lt(abs(divisor), 1e-6), 0, div(mul(constant(models), cosine), divisor)));
    const t = m.flag("clamp") ? clamp(ratio, 0, 1) : ratio;
    return add(
      mul(
        t,
        div(
          m.models.reduce((a, b) => add(a, b)),
          models,
        ),
      ),
      mul(sub(1, t), m.base),
    );
  },
};
