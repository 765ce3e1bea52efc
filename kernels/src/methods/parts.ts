// Steps several methods are made of.
import {
  abs,
  constant,
  div,
  dotOver,
  type F32,
  gt,
  lt,
  type Mask,
  mul,
  or,
  type Scope,
  select,
  sqrt,
  sumOver,
  wide,
} from "../expr.ts";

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
