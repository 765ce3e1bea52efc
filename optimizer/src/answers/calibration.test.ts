import fc from "fast-check";
import { expect, test } from "vitest";
import { createStudy } from "../index.ts";
import { conditionProcess, meanPriorVariance, predictLatent, type TrainingData } from "../model/gp.ts";
import { matern52 } from "../model/kernels/matern52.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { hartmann6, run, withKnownNoise } from "../testing/problems.ts";
import { leaveOneOutPrecisions } from "./calibration.ts";

test("leaving a trial out in closed form is conditioning on the others", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 0, max: 1e6 }), (count, seed) => {
      const stream = createStream(seed, 0, purposes.start);
      const list = (length: number): Float64Array => Float64Array.from({ length }, () => stream.uniform());
      const data: TrainingData = {
        dimension: 2,
        count,
        points: list(2 * count),
        targets: list(count),
        noiseVariances: list(count).map((value) => value / 10),
      };
      const theta = Float64Array.of(-1, -0.5, 0.3, -4);
      const gp = conditionProcess(data, matern52, theta);
      const precisions = leaveOneOutPrecisions(gp);
      const left = Math.floor(stream.uniform() * count);
      const without = <T extends Float64Array>(values: T, width: number): Float64Array =>
        values.filter((_, k) => Math.floor(k / width) !== left);
      const others = conditionProcess(
        {
          ...data,
          count: count - 1,
          points: without(data.points, 2),
          targets: without(data.targets, 1),
          noiseVariances: without(data.noiseVariances, 1),
        },
        matern52,
        theta,
      );
      const x = data.points.subarray(2 * left, 2 * left + 2);
      const latent = predictLatent(others, x);
      expect(data.targets[left]! - gp.weights[left]! / precisions[left]!).toBeCloseTo(latent.mean, 8);
      // The closed form also counts that the mean is not known: what is left is noise, nugget and that.
      const noise = data.noiseVariances[left]! + Math.exp(theta[3]!);
      const excess = 1 / precisions[left]! - latent.variance - noise;
      expect(excess).toBeGreaterThan(0);
      expect(excess).toBeLessThan(meanPriorVariance);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("of a study with known noise most trials lie where the others expect them", () => {
  const study = createStudy({ dimensions: hartmann6.dimensions, seed: 3, initialTrials: 40 });
  run(study, withKnownNoise(hartmann6, 0.05, 0.2), 40, 1, 3);
  const { trials, coverage, meanSquaredResidual } = study.calibration();
  expect(trials.map(({ id }) => id)).toEqual(study.trials().map(({ id }) => id));
  expect(coverage).toBeGreaterThan(0.85);
  expect(meanSquaredResidual).toBeGreaterThan(0.4);
  expect(meanSquaredResidual).toBeLessThan(1.8);
  for (const { observed, mean, standardDeviation, residual } of trials) {
    // Of a skewed belief the mean is not the median.
    if (Math.abs(residual) > 1) expect(Math.sign(residual)).toBe(Math.sign(observed - mean));
    expect(standardDeviation).toBeGreaterThan(0);
  }
});

test("one trial, and trials that say nothing, are calibrated too", () => {
  const study = createStudy({ dimensions: hartmann6.dimensions, seed: 1 });
  expect(() => study.calibration()).toThrow(/no calibration: no trial is complete yet/);
  for (let k = 0; k < 3; k++) {
    study.tell(study.ask().id, { values: [0.5] });
    expect(study.calibration().trials.every(({ residual, mean }) => Number.isFinite(residual + mean))).toBe(true);
  }
});
