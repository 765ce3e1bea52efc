import { expect, test } from "vitest";
import { createLogMeanImprovement, logImprovement } from "./log-improvement.ts";

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

test("the mean over thresholds is that of the single ones, near and far below underflow", () => {
  for (const us of [[0.3], [-0.5, 2, 7], [-3, -40, -0.9], [-300, -301, -1000], [-2e5, -2e5 - 1e-5]]) {
    const improvement = createLogMeanImprovement(us.length);
    const value = improvement.value(Float64Array.from(us));
    const logs = us.map((u) => logImprovement(u));
    const largest = Math.max(...logs);
    const expected = largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0) / us.length);
    expect(value / expected).toBeCloseTo(1, 12);
  }
});

test("the mean's derivatives are its slopes to eight digits, and so they are at u = -1e7", () => {
  for (const us of [[0.3], [-0.5, 2, 7], [-3, -4, -0.9], [-99, -100, -101], [-2e5, -2e5 - 1e-5], [-1e7]]) {
    const improvement = createLogMeanImprovement(us.length);
    const log = (shift: number, m?: number): number =>
      improvement.value(Float64Array.from(us, (u, k) => (m === undefined || k === m ? u + shift : u)));
    const atScale = (scale: number): number =>
      improvement.value(Float64Array.from(us, (u) => u / scale)) + Math.log(scale);
    // Far out log h is a parabola, of which central differences of any step are exact.
    const step = Math.max(1e-3, 1e-5 * Math.abs(us[0]!));
    const slope = (f: (shift: number) => number, h: number): number =>
      (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
    log(0);
    const together = improvement.byMean.reduce((sum, one) => sum + one, 0);
    expect(together / slope((h) => log(h), step)).toBeCloseTo(1, 8);
    log(0);
    const { byDeviation } = improvement;
    const relative = step / Math.abs(us[0]!);
    expect(byDeviation / slope((h) => atScale(1 + h), Math.min(1e-3, relative))).toBeCloseTo(1, 7);
  }
});
