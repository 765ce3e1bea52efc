import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { smallestOfNormals } from "./smallest.ts";

test.each([
  { means: [0.5], deviations: [0.1], tolerance: 0.002 },
  { means: [0.5, 0.5], deviations: [0.1, 0.1], tolerance: 0.002 },
  { means: [0.5, 0.6], deviations: [0.1, 0.02], tolerance: 0.002 },
  { means: [0.5, 0.9, 3], deviations: [0.1, 0.1, 1], tolerance: 0.005 },
  { means: [0.5, 0.52, 0.55, 0.5, 0.6], deviations: [0.03, 0.02, 0.04, 0.05, 0.03], tolerance: 0.005 },
])("the smallest of normal numbers $means has the moments of a simulation", ({ means, deviations, tolerance }) => {
  const stream = createStream(1, 0, purposes.fantasies);
  const draws = Array.from({ length: 40_000 }, () =>
    Math.min(...means.map((mean, k) => mean + deviations[k]! * stream.normal())),
  );
  const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length;
  const deviation = Math.sqrt(draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws.length);
  const { mean: expected, standardDeviation } = smallestOfNormals(means, deviations);
  expect(Math.abs(expected - mean)).toBeLessThan(tolerance);
  expect(Math.abs(standardDeviation - deviation)).toBeLessThan(tolerance);
});

test("without noise it is the smallest, and a large common offset does not cancel", () => {
  expect(smallestOfNormals([3, 1, 2], [0, 0, 0])).toEqual({ mean: 1, standardDeviation: 0 });
  const near = smallestOfNormals([0.5, 0.52], [0.1, 0.1]);
  const far = smallestOfNormals([1e6 + 0.5, 1e6 + 0.52], [0.1, 0.1]);
  expect(far.mean - 1e6).toBeCloseTo(near.mean, 8);
  expect(far.standardDeviation).toBeCloseTo(near.standardDeviation, 8);
});
