// SCE: select the entries that vary most between models, calculate one coefficient for each model
// and tensor from its energy, erase entries of the minority's sign.
import {
  abs,
  add,
  countOver,
  div,
  dotOver,
  eq,
  type F32,
  floor,
  ge,
  largest,
  lt,
  max,
  mul,
  ne,
  once,
  select,
  sub,
  sum,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { int8Mask } from "./parameters.ts";
import { agreeing, taskVectors } from "./parts.ts";

/** Exactly zero where all are equal: measured from the first. */
function variance(xs: readonly F32[]): F32 {
  const steps = xs.map((x) => sub(x, xs[0]!));
  const mean = div(sum(steps), xs.length);
  const squares = steps.map((x) => mul(sub(x, mean), sub(x, mean)));
  return div(sum(squares), xs.length);
}

export const sce: MergeMethod = {
  name: "sce",
  summary: "Task vectors at the entries that vary most, weighted by their energy, the minority's sign erased.",
  reference: "FuseChat-3.0 SCE, arXiv 2408.07990; mergekit sce",
  base: "required",
  minModels: 1,
  companions: [],
  parameters: {
    select_topk: {
      kind: "number",
      scope: "global",
      default: 1,
      min: 0,
      max: 1,
      doc: "Fraction of each tensor's varying entries that are kept; 1 keeps all entries.",
    },
    selection: {
      kind: "enum",
      scope: "global",
      choices: ["entries", "weights"],
      default: "entries",
      doc: "What the selected entries decide: entries merges them alone, as mergekit does; weights takes only the models' weights from them and merges all entries, as FuseAI's program does.",
    },
    int8_mask: int8Mask,
  },
  mergekit: "everyOperation",
  build: (m) => {
    const all = taskVectors(m);
    const spread = once(all, (...xs) => variance(xs));
    const top = m.param("select_topk");
    const varying = mul(countOver("tensor", ne(spread, 0)), abs(top));
    const everything = countOver("tensor", eq(m.base, m.base));
    const selected = largest("tensor", spread, select(lt(top, 1), floor(varying), everything));
    const chosen = all.map((x) => select(selected, x, 0));
    const energies = chosen.map((x) =>
      once([m.asMergekit ? mul(x, x) : x], (y) =>
        div(m.asMergekit ? sumOver("tensor", y as F32) : dotOver("tensor", y as F32, y as F32), everything),
      ),
    );
    const total = sum(energies);
    const weights = energies.map((e) => wide(select(lt(total, 1e-6), 1 / all.length, div(e, total))));
    const vectors = m.choice("selection") === "entries" ? chosen : all;
    const agrees = agreeing(vectors, ge(sum(vectors), 0));
    const mixed = sum(vectors.map((x, i) => select(agrees[i]!, mul(x, weights[i]!), 0)));
    const divisor = sum(weights.map((w, i) => select(agrees[i]!, w, 0)));
    return add(m.base, div(mixed, max(divisor, 1e-6)));
  },
};
