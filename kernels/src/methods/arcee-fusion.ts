// Arcee Fusion: takes the model's entries that matter most: their distance from the base times how far
// their row, as a distribution, has moved. "Most" is by the quartiles of the whole tensor; mergekit
// samples those of large tensors, here they are exact.
import {
  abs,
  add,
  div,
  elements,
  type F32,
  floor,
  ge,
  kthLargest,
  maximumOver,
  mul,
  select,
  sub,
  sumOver,
  wide,
} from "../expr.ts";
import type { MergeMethod } from "../method.ts";
import { exp, log } from "../transcendental.ts";
import { taskVectors } from "./parts.ts";

function softmax(x: F32): F32 {
  const powers = exp(sub(x, maximumOver("row", x)));
  return add(div(powers, sumOver("row", powers)), 1e-8);
}

export const arceeFusion: MergeMethod = {
  name: "arcee_fusion",
  summary: "Takes from the model the entries that changed most, weighted by how far their row's distribution moved.",
  reference: "mergekit arcee_fusion",
  base: "required",
  minModels: 1,
  maxModels: 1,
  companions: [],
  parameters: {},
  mergekit: "never",
  build: (m) => {
    const delta = taskVectors(m)[0]!;
    const [p, q] = [softmax(m.models[0]!), softmax(m.base)];
    const divergence = sumOver("row", mul(p, log(div(p, q))));
    const importance = mul(abs(delta), divergence);
    // The entry at a fraction of the ascending order, by its rank from the top.
    const quantile = (fraction: number): F32 =>
      kthLargest("tensor", importance, sub(elements, floor(mul(fraction, sub(elements, 1)))));
    const threshold = wide(add(quantile(0.5), mul(1.5, sub(quantile(0.75), quantile(0.25)))));
    return add(m.base, select(ge(importance, threshold), delta, 0));
  },
};
