import { expect, test } from "vitest";
import { createScalarise, type Objective } from "./scalarise.ts";

const metrics = ["mnli", "qqp", "sst2"];
const outcome = { values: [0.6, 0.8, 0.9], standardErrors: [0.03, 0.02, 0.01] };
const scoreOf = (objective: Objective) => createScalarise(metrics, objective)(outcome);

test("the mean and a weighted mean add up values and variances", () => {
  expect(scoreOf({ kind: "mean" }).value).toBeCloseTo(2.3 / 3, 12);
  expect(scoreOf({ kind: "mean" }).standardError).toBeCloseTo(Math.hypot(0.03, 0.02, 0.01) / 3, 12);
  const { value, standardError } = scoreOf({ kind: "weighted", weights: [2, 0, 2] });
  expect(value).toBeCloseTo(0.75, 12);
  expect(standardError).toBeCloseTo(Math.hypot(0.03, 0.01) / 2, 12);
  expect(createScalarise(metrics, { kind: "mean" })({ values: [1, 2, 3] })).toEqual({ value: 2 });
});

test("normalised by the experts, a score of 1 is what every expert reaches on its own task", () => {
  const experts = [0.8, 0.8, 0.9];
  const mean = scoreOf({ kind: "mean", normalise: { experts } });
  expect(mean.value).toBeCloseTo((0.75 + 1 + 1) / 3, 12);
  expect(mean.standardError).toBeCloseTo(Math.hypot(0.03 / 0.8, 0.02 / 0.8, 0.01 / 0.9) / 3, 12);
  expect(scoreOf({ kind: "worst", normalise: { experts } }).value).toBeCloseTo(0.75, 12);
});

test("normalised between the baselines and the experts, 0 is the base model and 1 the experts", () => {
  const normalise = { experts: [0.8, 0.9, 1], baselines: [0.4, 0.8, 0.8] };
  expect(scoreOf({ kind: "mean", normalise }).value).toBeCloseTo((0.5 + 0 + 0.5) / 3, 12);
  expect(scoreOf({ kind: "worst", normalise }).value).toBeCloseTo(0, 12);
  expect(scoreOf({ kind: "weighted", weights: [1, 0, 0], normalise }).standardError).toBeCloseTo(0.03 / 0.4, 12);
});

test("the error of the worst task is that of the smallest of several measurements, not of the one that happened to be it", () => {
  expect(scoreOf({ kind: "worst" }).value).toBe(0.6);
  expect(scoreOf({ kind: "worst" }).standardError).toBeCloseTo(0.03, 4);
  // Of two equally good tasks the smaller measurement varies less than each: sqrt(1 - 1 / pi).
  const tied = createScalarise(["a", "b"], { kind: "worst" })({ values: [0.5, 0.5], standardErrors: [0.1, 0.1] });
  expect(tied.standardError).toBeCloseTo(0.1 * Math.sqrt(1 - 1 / Math.PI), 6);
});

test.each<[Objective, RegExp]>([
  [{ kind: "weighted", weights: [1, 2] }, /needs a weight >= 0 for each of mnli, qqp, sst2/],
  [{ kind: "weighted", weights: [1, -2, 1] }, /needs a weight >= 0/],
  [{ kind: "mean", normalise: { experts: [0.8, 0.9] } }, /for each of mnli, qqp, sst2 the score of its expert/],
  [{ kind: "mean", normalise: { experts: [0.8, 0, 0.9] } }, /above 0; experts are \[0.8, 0, 0.9\]/],
  [
    { kind: "worst", normalise: { experts: [0.8, 0.7, 0.9], baselines: [0.5, 0.7, 0.5] } },
    /above its baseline; experts are .* baselines \[0.5, 0.7, 0.5\]/,
  ],
])("an objective that makes no sense is refused: %j", (objective, message) => {
  expect(() => createScalarise(metrics, objective)).toThrow(message);
});
