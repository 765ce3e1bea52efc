// Steps several methods are made of.
import {
  abs,
  add,
  constant,
  div,
  dotOver,
  eq,
  type F32,
  ge,
  gt,
  lt,
  type Mask,
  max,
  min,
  mul,
  or,
  type Scope,
  select,
  sqrt,
  sub,
  sum,
  sumOver,
  wide,
} from "../expr.ts";
import type { MethodContext } from "../method.ts";

/** Task vectors: each model minus the base. */
export const taskVectors = (m: MethodContext): F32[] => m.models.map((model) => sub(model, m.base));

/** mergekit's sum: base plus lambda times the weighted task vectors, divided by the sum of the weights if `normalize`. */
export function weightedSum(m: MethodContext, vectors: readonly F32[]): F32 {
  const weights = m.params("weight");
  const total = sum(vectors.map((x, i) => mul(x, weights[i]!)));
  const divisor = sum(weights);
  const mixed = m.flag("normalize") ? div(total, select(lt(abs(divisor), 1e-8), 1, divisor)) : total;
  return add(m.base, mul(mixed, m.param("lambda")));
}

/** mergekit's consensus: as `weightedSum`, but of the entries that have the sign of their weighted sum only. */
export function electedSum(m: MethodContext, vectors: readonly F32[]): F32 {
  const weights = m.params("weight");
  const weighted = vectors.map((x, i) => mul(x, weights[i]!));
  const agrees = agreeing(weighted, ge(sum(weighted), 0));
  const total = sum(weighted.map((x, i) => select(agrees[i]!, x, 0)));
  const divisor = sum(weights.map((w, i) => select(agrees[i]!, w, 0)));
  const mixed = m.flag("normalize") ? div(total, select(eq(divisor, 0), 1, divisor)) : total;
  return add(m.base, mul(mixed, m.param("lambda")));
}

/** For each value, whether it is not zero and has the elected sign. */
export function agreeing(values: readonly F32[], positive: Mask): Mask[] {
  const sign = select(positive, 1, -1);
  return values.map((x) => gt(mul(x, sign), 0));
}

/** mergekit's rescaling: the kept entries get the L1 norm all had, unless either norm is below 1e-7. */
export function rescaledL1(scope: Scope, kept: F32, all: F32): F32 {
  const [before, after] = [sumOver(scope, abs(all)), sumOver(scope, abs(kept))];
  const ratio = wide(select(or(lt(before, 1e-7), lt(after, 1e-7)), 1, div(before, after)));
  return mul(kept, ratio);
}

/** The coefficient divided by the L2 norm of a model's Fisher information; a model without any information gets none. */
export function perNorm(coefficient: F32, information: F32): F32 {
  const norm = sqrt(dotOver("model", information, information));
  return wide(select(gt(norm, 0), div(coefficient, norm), constant(0)));
}

/** Inner products of all pairs over the scope: enough to compute norms and angles of anything the vectors span. */
export const gram = (scope: Scope, xs: readonly F32[]): F32[][] =>
  xs.map((x, i) => xs.map((y, j) => (i <= j ? dotOver(scope, x, y) : dotOver(scope, y, x))));

export const clamp = (x: F32, low: F32 | number, high: F32 | number): F32 => min(max(x, low), high);
