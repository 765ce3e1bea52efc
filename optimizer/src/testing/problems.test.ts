import fc from "fast-check";
import { expect, test } from "vitest";
import { minimise } from "../numerics/lbfgs.ts";
import {
  ackley,
  bbob,
  branin,
  griewank,
  hartmann6,
  levy,
  mergeLike,
  michalewicz5,
  mulberry32,
  type Problem,
  recipeLike,
  rosenbrock,
  styblinskiTang,
  weightsLike,
} from "./problems.ts";

/** The best score that bounded descents from random points of the box find. */
function climb({ dimensions, score }: Problem, starts: number): number {
  const draw = mulberry32(1);
  const [low, high] = [dimensions.map(({ low }) => low), dimensions.map(({ high }) => high)];
  const step = 1e-6;
  const negated = (x: Float64Array, gradient: Float64Array): number => {
    const shifted = (k: number, by: number): number => score([...x].map((v, j) => (j === k ? v + by : v)));
    for (let k = 0; k < x.length; k++) gradient[k] = (shifted(k, -step) - shifted(k, step)) / (2 * step);
    return -score([...x]);
  };
  const options = { maxIterations: 200, gradientTolerance: 1e-9, valueTolerance: 1e-14 };
  const found = Array.from({ length: starts }, () => {
    const start = low.map((from, k) => from + (high[k]! - from) * draw());
    return -minimise(negated, start, low, high, options).value;
  });
  return Math.max(...found);
}

test.each<[name: string, problem: Problem]>([
  ["Branin", branin],
  ["Hartmann 6", hartmann6],
  ["Styblinski-Tang 3", styblinskiTang(3)],
  ["Rosenbrock 4", rosenbrock(4, -5, 10)],
  ["Levy 2", levy(2, -5, 10)],
  ["eight merge coefficients", mergeLike(8, 100, { optimum: 0.5329703606619405 })],
  ["thirty-two merge coefficients", mergeLike(4, 200, { groups: 8, optimum: 0.5106445376800157 })],
  ["f1", bbob(1, 4, 1)],
])("%s: many descents reach the stated optimum and none exceeds it", (_, problem) => {
  expect(problem.optimum - climb(problem, 120)).toBeCloseTo(0, 5);
});

test.each<[name: string, problem: Pick<Problem, "score" | "optimum">, best: number[]]>([
  ["Ackley", ackley(3, -5, 10), [0, 0, 0]],
  ["Griewank", griewank(3, -20, 30), [0, 0, 0]],
  ["Levy", levy(3, -5, 10), [1, 1, 1]],
  ["a recipe's mixed space", recipeLike(), [2, 10 ** -2.5, 17, 0.35, 0.21]],
  ["weights on a simplex", weightsLike(), [0.45, 0, 0.25, 0, 0.2, 0.1]],
  ["Michalewicz", michalewicz5(), [2.20290552, 1.57079633, 1.28499157, 1.92305847, 1.72046977]],
])("%s: the optimum is where the literature has it", (_, problem, best) => {
  expect(problem.score(best)).toBeCloseTo(problem.optimum, 8);
});

test("the merge problem's constants are those of the protocol: other languages compute the same accuracies", () => {
  // Computed by a Python implementation of the same formulas from mulberry32(12345).
  const ramp = (length: number): number[] => Array.from({ length }, (_, k) => k / length);
  expect(mergeLike(8, 100).score(ramp(8))).toBeCloseTo(0.44681667309111195, 12);
  expect(mergeLike(4, 200, { groups: 8 }).score(ramp(32))).toBeCloseTo(0.4412584710766579, 12);
});

test.each([8, 10, 15, 20, 21] as const)("f%i is nowhere above its optimum 0", (number) => {
  const problem = bbob(number, 5, 7);
  const coordinate = fc.double({ min: -5, max: 5, noNaN: true });
  fc.assert(
    fc.property(fc.array(coordinate, { minLength: 5, maxLength: 5 }), (x) => {
      expect(problem.score(x)).toBeLessThanOrEqual(1e-9);
    }),
  );
});
