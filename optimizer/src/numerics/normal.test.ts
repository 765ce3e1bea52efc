import { expect, test } from "vitest";
import { erfcx, millsRatio, normalDensity, normalDistribution, normalQuantile } from "./normal.ts";

test("the distribution matches published values to double precision", () => {
  expect(normalDistribution(0)).toBe(0.5);
  expect(normalDistribution(1.959963984540054)).toBeCloseTo(0.975, 15);
  expect(normalDistribution(-5) / 2.866515718791939e-7).toBeCloseTo(1, 13);
  expect(normalDistribution(-30) / 4.906713927148187e-198).toBeCloseTo(1, 12);
});

test("erfcx is continuous where its rational approximations meet", () => {
  for (const joint of [0.46875, 4]) expect(erfcx(joint + 1e-12) / erfcx(joint)).toBeCloseTo(1, 11);
  expect(erfcx(1)).toBeCloseTo(0.427583576155807, 14);
  expect(erfcx(1e6) * 1e6 * Math.sqrt(Math.PI)).toBeCloseTo(1, 11);
});

test("the quantile inverts the distribution over the whole range", () => {
  for (const p of [1e-300, 1e-20, 1e-7, 0.02, 0.3, 0.5, 0.7, 0.999]) {
    expect(normalDistribution(normalQuantile(p)) / p).toBeCloseTo(1, 10);
  }
});

test("the Mills ratio is distribution over density", () => {
  for (const z of [-0.1, -1, -6]) {
    expect(millsRatio(z) / (normalDistribution(z) / normalDensity(z))).toBeCloseTo(1, 13);
  }
});
