// A method that uses every operator of the language, for back-ends to be compared on.
import {
  abs,
  add,
  and,
  div,
  eq,
  exponent,
  type F32,
  floor,
  ge,
  gt,
  le,
  lt,
  max,
  min,
  mul,
  ne,
  neg,
  not,
  or,
  powerOfTwo,
  random,
  rankInRow,
  roundBF16,
  roundF16,
  select,
  sqrt,
  sub,
  sum,
  wide,
  xor,
} from "../expr.ts";
import type { MergeMethod } from "../method.ts";

/** @param ranks with `rankInRow`, which devices do not do */
export function allOperators(ranks: boolean): MergeMethod {
  return {
    name: "all_operators",
    summary: "",
    reference: "",
    base: "required",
    minModels: 2,
    companions: [],
    parameters: { weight: { kind: "number", scope: "model", doc: "" } },
    build: (m) => {
      const [x, y] = m.models as [F32, F32];
      const [v, w] = m.params("weight") as [F32, F32];
      const masks = [
        eq(x, y),
        ne(x, m.base),
        lt(x, y),
        le(x, m.base),
        gt(y, w),
        ge(y, m.base),
        not(lt(v, w)),
        gt(v, w),
      ];
      const numbers = [
        add(x, w),
        sub(x, y),
        mul(x, y),
        div(x, y),
        min(x, y),
        max(x, v),
        abs(y),
        neg(x),
        sqrt(abs(x)),
        floor(mul(x, 9)),
        random(0),
        ranks ? rankInRow(abs(y)) : abs(y),
        powerOfTwo(floor(mul(x, 300))),
        exponent(add(abs(y), 1e-3)),
        sub(random(1), random(0)),
        roundBF16(x),
        roundF16(mul(y, 1e-5)),
      ];
      const chosen = masks.map((mask, i) =>
        select(xor(mask, and(masks[(i + 1) % 8]!, or(mask, masks[(i + 3) % 8]!))), numbers[i]!, i % 2 ? 0 : v),
      );
      return sum([...chosen, ...numbers, sqrt(wide(div(v, add(w, 1e-40)))), min(v, floor(w))]);
    },
  };
}
