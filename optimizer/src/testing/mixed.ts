// Problems whose spaces are not boxes of real numbers.

import type { Dimension } from "../space/space.ts";
import { exact, type Problem } from "./problem.ts";

/**
 * Four methods, a rate on a log scale, a whole number and two weights. Each method has its own best rate and whole number,
 * and one of the weights wants to follow the other, differently by method. The optimum is method 2's.
 */
export function recipeLike(): Problem<Dimension> {
  const methods = [
    { best: 0.3, rate: -1, whole: 33, slope: 0.2 },
    { best: 0.55, rate: -4, whole: 4, slope: 0.9 },
    { best: 0.8, rate: -2.5, whole: 17, slope: 0.6 },
    { best: 0.6, rate: -3, whole: 25, slope: 0.4 },
  ];
  return exact<Dimension>(
    [
      { name: "method", kind: "categorical", choices: methods.map((_, k) => k) },
      { name: "rate", kind: "float", low: 1e-5, high: 1, scale: "log" },
      { name: "whole", kind: "integer", low: 1, high: 40 },
      { name: "a", kind: "float", low: 0, high: 1 },
      { name: "b", kind: "float", low: 0, high: 1 },
    ],
    0.8,
    ([method = 0, rate = 0, whole = 0, a = 0, b = 0]) => {
      const one = methods[method]!;
      const misfit = (Math.log10(rate) - one.rate) ** 2 / 6 + ((whole - one.whole) / 30) ** 2;
      return one.best - misfit - (a - 0.35) ** 2 - 2 * (b - one.slope * a) ** 2;
    },
  );
}

/** Six weights that sum to 1, the best ones on a face, matter unequally; a ripple makes slopes lie. */
export function weightsLike(): Problem<Dimension> {
  const best = [0.45, 0, 0.25, 0, 0.2, 0.1];
  const matter = [1, 3, 2, 1, 4, 2];
  return exact<Dimension>([{ name: "mix", kind: "simplex", members: ["a", "b", "c", "d", "e", "f"] }], 1, (x) => {
    const misfit = x.reduce((sum, weight, k) => sum + matter[k]! * (weight - best[k]!) ** 2, 0);
    return Math.exp(-2 * misfit) - 0.05 * Math.sin(20 * misfit) ** 2;
  });
}
