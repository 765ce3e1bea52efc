import { expect, test } from "vitest";
import { createLogFeasibility } from "./feasibility.ts";

const at = (x: number): Float64Array => Float64Array.of(x);

test("without failures every point is feasible", () => {
  expect(createLogFeasibility(1, [at(0.5)], [])(at(0.9))).toBe(0);
});

test("probability is near 1 among successes, tiny among failures and open in unknown country", () => {
  const feasibility = createLogFeasibility(1, [0.05, 0.1, 0.15].map(at), [0.4, 0.45, 0.5].map(at));
  expect(feasibility(at(0.1))).toBeGreaterThan(-0.01);
  expect(feasibility(at(0.45))).toBeLessThan(-8);
  expect(feasibility(at(5))).toBeCloseTo(Math.log(0.84), 1);
});
