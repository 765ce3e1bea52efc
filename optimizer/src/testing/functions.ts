// Test functions of the literature with their published constants and optima (Surjanovic, Bingham: Virtual library of
// simulation experiments), as scores: negated where the literature minimises.

import type { FloatDimension } from "../space/dimensions.ts";
import { exact, floats, type Problem } from "./problem.ts";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const branin: Problem = exact(
  [
    { name: "x0", kind: "float", low: -5, high: 10 },
    { name: "x1", kind: "float", low: 0, high: 15 },
  ] satisfies FloatDimension[],
  -0.39788735772973816,
  ([a = 0, b = 0]) =>
    -((b - (5.1 / (4 * Math.PI ** 2)) * a ** 2 + (5 / Math.PI) * a - 6) ** 2) -
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(a) -
    10,
);

const hartmannWeights = [1, 1.2, 3, 3.2];
const hartmannScales = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const hartmannCentres = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];

export const hartmann6: Problem = exact(floats(6, 0, 1), 3.322368011415512, (x) =>
  hartmannWeights.reduce((total, weight, i) => {
    const exponent = x.reduce((s, value, k) => s + hartmannScales[i]![k]! * (value - hartmannCentres[i]![k]!) ** 2, 0);
    return total + weight * Math.exp(-exponent);
  }, 0),
);

export function michalewicz5(): Problem {
  return exact(floats(5, 0, Math.PI), 4.687658179, (x) =>
    sum(x.map((value, k) => Math.sin(value) * Math.sin(((k + 1) * value ** 2) / Math.PI) ** 20)),
  );
}

/** The optimum 0 lies at the origin. */
export function ackley(count: number, low: number, high: number): Problem {
  return exact(floats(count, low, high), 0, (x) => {
    const squares = sum(x.map((value) => value ** 2));
    const cosines = sum(x.map((value) => Math.cos(2 * Math.PI * value)));
    return 20 * Math.exp(-0.2 * Math.sqrt(squares / count)) + Math.exp(cosines / count) - 20 - Math.E;
  });
}

/** The optimum 0 lies at (1, .., 1). */
export function levy(count: number, low: number, high: number): Problem {
  return exact(floats(count, low, high), 0, (x) => {
    const w = x.map((value) => 1 + (value - 1) / 4);
    const last = w[count - 1]!;
    const inner = w.slice(0, -1).map((v) => (v - 1) ** 2 * (1 + 10 * Math.sin(Math.PI * v + 1) ** 2));
    const ends = Math.sin(Math.PI * w[0]!) ** 2 + (last - 1) ** 2 * (1 + Math.sin(2 * Math.PI * last) ** 2);
    return -ends - sum(inner);
  });
}

/** The optimum 0 lies at (1, .., 1). */
export function rosenbrock(count: number, low: number, high: number): Problem {
  return exact(
    floats(count, low, high),
    0,
    (x) => -sum(x.slice(1).map((value, k) => 100 * (value - x[k]! ** 2) ** 2 + (1 - x[k]!) ** 2)),
  );
}

/** The optimum 0 lies at the origin. */
export function griewank(count: number, low: number, high: number): Problem {
  return exact(floats(count, low, high), 0, (x) => {
    const product = x.reduce((p, value, k) => p * Math.cos(value / Math.sqrt(k + 1)), 1);
    return product - 1 - sum(x.map((value) => value ** 2)) / 4000;
  });
}

/** The optimum lies at -2.903534 in every dimension. */
export function styblinskiTang(count: number): Problem {
  return exact(
    floats(count, -5, 5),
    39.16616570377142 * count,
    (x) => -0.5 * sum(x.map((value) => value ** 4 - 16 * value ** 2 + 5 * value)),
  );
}
