import fc from "fast-check";
import { expect, test } from "vitest";
import { logNormalDistribution } from "../numerics/normal.ts";
import { logImprovement } from "./log-improvement.ts";
import { type IntervalEnd, logReached } from "./log-interval.ts";

function endAt(u: number): IntervalEnd {
  const ratios = new Float64Array(2);
  const logValue = logImprovement(u, ratios);
  return { u, logValue, distributionRatio: ratios[0]!, densityRatio: ratios[1]! };
}
const open: IntervalEnd = {
  u: Number.NEGATIVE_INFINITY,
  logValue: Number.NEGATIVE_INFINITY,
  distributionRatio: 0,
  densityRatio: 0,
};

/** log of the integral of Phi over [b, a]: Simpson's rule relative to the largest value, Phi(a). */
function integrated(a: number, b: number): number {
  const steps = 2000;
  const top = logNormalDistribution(a);
  let sum = 0;
  for (let k = 0; k <= steps; k++) {
    const weight = k === 0 || k === steps ? 1 : 2 + 2 * (k % 2);
    sum += weight * Math.exp(logNormalDistribution(b + ((a - b) * k) / steps) - top);
  }
  return top + Math.log((sum * (a - b)) / (3 * steps));
}

test("the length is the integral of the distribution between the ends, for wide and narrow intervals, high and deep", () => {
  const derivatives = new Float64Array(2);
  fc.assert(
    fc.property(
      fc.double({ min: -40, max: 12, noNaN: true }),
      fc.double({ min: -9, max: 0, noNaN: true }),
      (a, logWidth) => {
        const b = a - 10 ** logWidth;
        expect(logReached(endAt(a), endAt(b), derivatives)).toBeCloseTo(integrated(a, b), 6);
      },
    ),
    { numRuns: 300, seed: 1 },
  );
  expect(logReached(endAt(-3), open, derivatives)).toBe(logImprovement(-3));
});

test("the derivatives are those of the length by the mean and by the deviation", () => {
  const derivatives = new Float64Array(2);
  const ignored = new Float64Array(2);
  fc.assert(
    fc.property(
      fc.double({ min: -30, max: 8, noNaN: true }),
      fc.double({ min: -7, max: 1, noNaN: true }),
      (u, logWidth) => {
        const width = 10 ** logWidth;
        // Deviation 1, low end at 0, mean u.
        const length = (mean: number, deviation: number): number =>
          logReached(endAt(mean / deviation), endAt((mean - width) / deviation), ignored) + Math.log(deviation);
        logReached(endAt(u), endAt(u - width), derivatives);
        const step = 1e-4;
        const byMean = (length(u + step, 1) - length(u - step, 1)) / (2 * step);
        const byDeviation = (length(u, 1 + step) - length(u, 1 - step)) / (2 * step);
        expect(Math.abs(derivatives[0]! - byMean)).toBeLessThan(1e-4 * (1 + Math.abs(byMean)));
        expect(Math.abs(derivatives[1]! - byDeviation)).toBeLessThan(1e-4 * (1 + Math.abs(byDeviation)));
      },
    ),
    { numRuns: 300, seed: 2 },
  );
});
