import { expect, test } from "vitest";
import { logImprovement } from "./log-improvement.ts";

test("log h matches reference values from the centre to far beyond underflow", () => {
  expect(logImprovement(0)).toBeCloseTo(-0.9189385332046727, 14);
  expect(logImprovement(-5)).toBeCloseTo(-16.744301, 6);
  expect(logImprovement(-40)).toBeCloseTo(-808.29856835662, 9);
  expect(logImprovement(-100)).toBeCloseTo(-5010.12958, 5);
  expect(logImprovement(10)).toBeCloseTo(Math.log(10), 12);
});

test("log h is finite, increasing and seamless where its forms meet", () => {
  let before = Number.NEGATIVE_INFINITY;
  for (const u of [-1e8, -1e4, -100.001, -100, -99.999, -40, -1.001, -1, -0.999, 0, 3, 50, 1e6]) {
    const value = logImprovement(u);
    expect(Number.isFinite(value)).toBe(true);
    expect(value).toBeGreaterThan(before);
    before = value;
  }
  for (const joint of [-100, -1]) {
    expect(logImprovement(joint + 1e-9) - logImprovement(joint - 1e-9)).toBeLessThan(1e-6);
  }
});

test("the ratios are the derivatives by mean and by standard deviation", () => {
  const ratios = new Float64Array(2);
  for (const [mean, deviation] of [
    [0.3, 1],
    [-2, 0.7],
    [-40, 1],
    [-300, 2],
    [1, 0.5],
  ] as const) {
    logImprovement(mean / deviation, ratios);
    const log = (m: number, s: number): number => logImprovement(m / s) + Math.log(s);
    const step = 1e-5;
    const byMean = (log(mean + step, deviation) - log(mean - step, deviation)) / (2 * step);
    const byDeviation = (log(mean, deviation + step) - log(mean, deviation - step)) / (2 * step);
    expect(ratios[0]! / deviation / byMean).toBeCloseTo(1, 5);
    expect(ratios[1]! / deviation / byDeviation).toBeCloseTo(1, 5);
  }
});
