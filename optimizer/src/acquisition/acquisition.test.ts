import { expect, test } from "vitest";
import { conditionProcess, predictLatent, type TrainingData } from "../model/gp.ts";
import { matern52 } from "../model/kernels/matern52.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { type Acquisition, createLogNoisyImprovement } from "./acquisition.ts";
import { countWins, sampleFantasies } from "./fantasies.ts";
import { logImprovement } from "./log-improvement.ts";

const data: TrainingData = {
  dimension: 1,
  count: 3,
  points: Float64Array.of(0.1, 0.5, 0.9),
  targets: Float64Array.of(-1, 1.2, -0.2),
  noiseVariances: new Float64Array(3),
};
const theta = (logNugget: number): Float64Array => Float64Array.of(Math.log(0.3), 0, logNugget);
const valueAt = (acquisition: Acquisition, x: number): number => {
  const values = new Float64Array(1);
  acquisition.evaluate(Float64Array.of(x), 1, values);
  return values[0]!;
};
const normals = (count: number): Float64Array => {
  const stream = createStream(1, 0, purposes.fantasies);
  return Float64Array.from({ length: count }, () => stream.normal());
};

test("without noise and pending trials it is log expected improvement over the best observation", () => {
  const gp = conditionProcess(data, matern52, theta(Math.log(1e-12)));
  const acquisition = createLogNoisyImprovement(sampleFantasies(gp, [Float64Array.of(0.5)], normals(32)));
  for (const x of [0.2, 0.45, 0.62, 0.99]) {
    const { mean, variance } = predictLatent(gp, Float64Array.of(x));
    const deviation = Math.sqrt(variance);
    const expected = logImprovement((mean - 1.2) / deviation) + Math.log(deviation);
    expect(valueAt(acquisition, x)).toBeCloseTo(expected, 3);
  }
});

test("a pending trial lowers the value around it and leaves points beyond the incumbent nearly alone", () => {
  const gp = conditionProcess(data, matern52, theta(Math.log(1e-6)));
  const best = Float64Array.of(0.5);
  const alone = createLogNoisyImprovement(sampleFantasies(gp, [best], normals(64)));
  const beside = createLogNoisyImprovement(sampleFantasies(gp, [best, Float64Array.of(0.58)], normals(128)));
  expect(valueAt(beside, 0.581)).toBeLessThan(valueAt(alone, 0.581) - 2);
  expect(Math.abs(valueAt(beside, 0.25) - valueAt(alone, 0.25))).toBeLessThan(1);
});

test("joint samples have the posterior's mean and covariance", () => {
  const gp = conditionProcess(data, matern52, theta(Math.log(0.1)));
  const base = [Float64Array.of(0.3), Float64Array.of(0.7)];
  const { values, sampleCount } = sampleFantasies(gp, base, normals(2 * 20_000));
  for (const [b, x] of base.entries()) {
    const column = Array.from({ length: sampleCount }, (_, m) => values[m * 2 + b]!);
    const mean = column.reduce((sum, value) => sum + value, 0) / sampleCount;
    const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sampleCount;
    const exact = predictLatent(gp, x);
    expect(mean).toBeCloseTo(exact.mean, 1);
    expect(variance).toBeCloseTo(exact.variance, 1);
  }
});

test("wins add up to the number of samples and go to the better points", () => {
  const gp = conditionProcess(data, matern52, theta(Math.log(0.05)));
  const wins = countWins(
    sampleFantasies(
      gp,
      [0.1, 0.5, 0.9].map((x) => Float64Array.of(x)),
      normals(3 * 500),
    ),
  );
  expect(wins.reduce((sum, count) => sum + count, 0)).toBe(500);
  expect(wins[1]).toBeGreaterThan(400);
});
