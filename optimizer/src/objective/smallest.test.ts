import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSmallest, smallestOfNormals } from "./smallest.ts";

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

test("the derivatives are those of the moments", () => {
  const numbers = fc.array(
    fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: 0.05, max: 1, noNaN: true })),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(numbers, (list) => {
      const [means, deviations] = [list.map(([mean]) => mean), list.map(([, deviation]) => deviation)];
      const smallest = createSmallest(list.length);
      for (const [byMean, byDeviation] of [
        [1, 0],
        [0, 1],
      ] as const) {
        const [byMeans, byDeviations] = [new Float64Array(list.length), new Float64Array(list.length)];
        smallest.fold(means, deviations);
        smallest.addDerivatives(byMean, byDeviation, byMeans, byDeviations);
        const step = 1e-6;
        for (const k of list.keys()) {
          const shifted = (by: readonly number[], amount: number) =>
            by.map((value, i) => (i === k ? value + amount : value));
          const value = (moved: { mean: number; standardDeviation: number }): number =>
            byMean * moved.mean + byDeviation * moved.standardDeviation;
          const slope = (at: (amount: number) => number): number => (at(step) - at(-step)) / (2 * step);
          const byOneMean = slope((amount) => value(smallestOfNormals(shifted(means, amount), deviations)));
          const byOneDeviation = slope((amount) => value(smallestOfNormals(means, shifted(deviations, amount))));
          expect(byMeans[k]).toBeCloseTo(byOneMean, 5);
          expect(byDeviations[k]).toBeCloseTo(byOneDeviation, 5);
        }
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});
