import fc from "fast-check";
import { expect, test } from "vitest";
import { decompose } from "../objective/boxes.ts";
import { logImprovement } from "./log-improvement.ts";
import { createVolumeAdded } from "./volume-added.ts";

const front = Float64Array.of(0, 3, 1, 2, 1.00000001, 1.99999999, 2.5, 0.5);
const volume = createVolumeAdded(decompose(front, [-1, -1]));
const logAt = (means: readonly number[], deviations: readonly number[]): number =>
  volume.logExpected(Float64Array.from(means), Float64Array.from(deviations), false);

test("the expected volume falls smoothly to where nothing but logarithms can hold it", () => {
  // From above the front to 1,000 deviations below it: each step lowers it, by more and more.
  const logs = Array.from({ length: 2000 }, (_, k) => logAt([2 - k / 200, 2 - k / 200], [0.01, 0.01]));
  for (let k = 1; k < logs.length; k++) {
    expect(logs[k]!).toBeLessThan(logs[k - 1]!);
    if (k > 300) expect(logs[k - 1]! - logs[k]!).toBeGreaterThan(logs[k - 2]! - logs[k - 1]! - 1e-6);
  }
  expect(logs.at(-1)!).toBeLessThan(-1e5);
});

test("of an empty front it is the product of the improvements over the reference", () => {
  const empty = createVolumeAdded(decompose(new Float64Array(0), [0, 1, 2]));
  const [means, deviations] = [Float64Array.of(0.5, -3, 2), Float64Array.of(1, 0.1, 2)];
  const expected = [0.5, -40, 0].reduce((sum, u, j) => sum + logImprovement(u) + Math.log(deviations[j]!), 0);
  expect(empty.logExpected(means, deviations, false)).toBeCloseTo(expected, 9);
});

test("the derivatives are those of the value, whichever way it is worked out", () => {
  const moment = fc.tuple(fc.double({ min: -3, max: 4, noNaN: true }), fc.double({ min: -2.5, max: 0.5, noNaN: true }));
  fc.assert(
    fc.property(moment, moment, (first, second) => {
      const means = [first[0], second[0]];
      const deviations = [10 ** first[1], 10 ** second[1]];
      volume.logExpected(Float64Array.from(means), Float64Array.from(deviations), true);
      const slopes = [[...volume.byMean], [...volume.byDeviation]];
      for (let j = 0; j < 2; j++) {
        for (const [of, slope] of slopes.entries()) {
          const step = 1e-4 * deviations[j]!;
          const shifted = (by: number): number =>
            logAt(
              means.map((mean, k) => (of === 0 && k === j ? mean + by : mean)),
              deviations.map((deviation, k) => (of === 1 && k === j ? deviation + by : deviation)),
            );
          // In deviations, relative to the slope or to 1.
          const numeric = ((shifted(step) - shifted(-step)) / (2 * step)) * deviations[j]!;
          const exact = slope[j]! * deviations[j]!;
          expect(Math.abs(exact - numeric)).toBeLessThan(1e-3 * Math.max(1, Math.abs(numeric)));
        }
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});
