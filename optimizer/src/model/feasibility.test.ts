import { expect, test } from "vitest";
import { createLogFeasibility, type LogFeasibility } from "./feasibility.ts";

const at = (x: number): Float64Array => Float64Array.of(x);
const logProbability = (feasibility: LogFeasibility, x: number): number => {
  const values = new Float64Array(1);
  feasibility(at(x), 1, values);
  return values[0]!;
};

test("without failures every point is feasible", () => {
  expect(logProbability(createLogFeasibility(1, [at(0.5)], []), 0.9)).toBe(0);
});

test("probability is near 1 among successes, tiny among failures and open in unknown country", () => {
  const feasibility = createLogFeasibility(1, [0.05, 0.1, 0.15].map(at), [0.4, 0.45, 0.5].map(at));
  expect(logProbability(feasibility, 0.1)).toBeGreaterThan(-0.01);
  expect(logProbability(feasibility, 0.45)).toBeLessThan(-8);
  expect(logProbability(feasibility, 5)).toBeCloseTo(Math.log(0.84), 1);
});
