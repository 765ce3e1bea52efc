// Golden numbers: scikit-learn's GaussianProcessRegressor(Matern(nu=2.5), alpha=1e-6, normalize_y=True), see the
// `gp` entry of the merge methods' golden vectors.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { logImprovement } from "../acquisition/log-improvement.ts";
import { conditionProcess, predictLatent, type TrainingData } from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";
import { createFitObjective } from "./marginal-likelihood.ts";
import { standardise, warpTargets } from "./targets.ts";

interface Golden {
  readonly X: number[][];
  readonly y: number[];
  readonly query: number[][];
  readonly alpha: number;
  readonly nu: number;
  readonly normalize_y: boolean;
  readonly length_bounds: number[];
  readonly out: {
    readonly fixed_length_1: {
      readonly length_scale: number;
      readonly lml: number;
      readonly mean: number[];
      readonly std: number[];
      readonly ei_xi001: number[];
      readonly ucb_2576: number[];
    };
    readonly optimised: {
      readonly length_scale: number;
      readonly lml: number;
      readonly mean: number[];
      readonly std: number[];
      readonly ei_xi001: number[];
      readonly ucb_2576: number[];
    };
  };
}
const path = new URL("../../../tests/golden/optimizer/gp.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;

const dimension = 3;
const count = golden.X.length;
const scores = standardise(golden.y.map((value) => ({ value, standardError: undefined })));
const targets = warpTargets(scores, 1);
const data: TrainingData = {
  dimension,
  count,
  points: Float64Array.from(golden.X.flat()),
  targets: targets.targets,
  noiseVariances: new Float64Array(count).fill(golden.alpha),
};
/** Unit signal variance and no nugget, as scikit-learn has it. */
const thetaOf = (length: number): Float64Array =>
  Float64Array.of(...new Array<number>(dimension).fill(Math.log(length)), 0, Number.NEGATIVE_INFINITY);

for (const [name, expected] of Object.entries(golden.out)) {
  test(`posterior, expected improvement and likelihood agree with scikit-learn (${name})`, () => {
    const theta = thetaOf(expected.length_scale);
    const gp = conditionProcess(data, matern52, theta, 0);
    const best = Math.max(...golden.y);
    for (const [q, query] of golden.query.entries()) {
      const { mean, variance } = predictLatent(gp, Float64Array.from(query));
      const scoreMean = scores.offset + scores.scale * targets.unwarp(mean);
      const deviation = scores.scale * targets.slope(mean) * Math.sqrt(variance);
      expect(scoreMean / expected.mean[q]!).toBeCloseTo(1, 9);
      expect(deviation / expected.std[q]!).toBeCloseTo(1, 7);
      expect(scoreMean + 2.576 * deviation).toBeCloseTo(expected.ucb_2576[q]!, 9);
      const logImproved = logImprovement((scoreMean - best - 0.01) / deviation) + Math.log(deviation);
      expect(Math.exp(logImproved) / expected.ei_xi001[q]!).toBeCloseTo(1, 4);
    }
    const minusLogLikelihood = createFitObjective(data, matern52, undefined, 0)(theta, new Float64Array(5));
    expect(-minusLogLikelihood).toBeCloseTo(expected.lml, 6);
  });
}

test("the posterior passes through noise-free observations and returns to the prior far away", () => {
  const exact = { ...data, noiseVariances: new Float64Array(count) };
  const gp = conditionProcess(exact, matern52, thetaOf(0.3));
  for (let i = 0; i < count; i++) {
    const at = predictLatent(gp, data.points.slice(i * dimension, (i + 1) * dimension));
    expect(at.mean).toBeCloseTo(data.targets[i]!, 9);
    expect(at.variance).toBeLessThan(1e-9);
  }
  const far = predictLatent(gp, Float64Array.of(100, 100, 100));
  expect(far.mean).toBeCloseTo(gp.mean, 12);
  expect(far.variance).toBeCloseTo(1, 12);
});

test("identical points with no noise at all are survived by jitter", () => {
  const twice: TrainingData = {
    dimension: 1,
    count: 3,
    points: Float64Array.of(0.5, 0.5, 0.5),
    targets: Float64Array.of(1, -1, 0),
    noiseVariances: new Float64Array(3),
  };
  const gp = conditionProcess(twice, matern52, Float64Array.of(0, 0, Number.NEGATIVE_INFINITY));
  const { mean, variance } = predictLatent(gp, Float64Array.of(0.5));
  expect(mean).toBeCloseTo(0, 3);
  expect(variance).toBeLessThan(1e-3);
});
