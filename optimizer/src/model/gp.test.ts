// Golden numbers: scikit-learn's GaussianProcessRegressor(Matern(nu=2.5), alpha=1e-6, normalize_y=True), see the
// `gp` entry of the merge methods' golden vectors.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { logImprovement } from "../acquisition/log-improvement.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import {
  conditionProcess,
  type GaussianProcess,
  meanPriorVariance,
  predictLatent,
  predictLatents,
  predictMeans,
  type TrainingData,
  trainingMeans,
} from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";
import { rbf } from "./kernels/rbf.ts";
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

/** `n` random observations in three dimensions; the first `twice` of them are measured again at the end. */
function randomData(n: number, twice: number, noise: (i: number) => number, seed: number): TrainingData {
  const stream = createStream(seed, n, purposes.start);
  const points = Float64Array.from({ length: n * dimension }, () => stream.uniform());
  return {
    dimension,
    count: n + twice,
    points: Float64Array.from([...points, ...points.subarray(0, twice * dimension)]),
    targets: Float64Array.from({ length: n + twice }, () => stream.normal()),
    noiseVariances: Float64Array.from({ length: n + twice }, (_, i) => noise(i)),
  };
}

const firstRows = (of: TrainingData, n: number): TrainingData => ({
  dimension,
  count: n,
  points: of.points.slice(0, n * dimension),
  targets: of.targets.slice(0, n),
  noiseVariances: of.noiseVariances.slice(0, n),
});

/** Everything a posterior is computed from; above the diagonal the factor is undefined. */
function bitsOf(gp: GaussianProcess): unknown {
  const { count: n } = gp.data;
  const lower = gp.factor.map((value, index) => (index % n > Math.floor(index / n) ? 0 : value));
  return { lower, jitter: gp.jitter, mean: gp.mean, whitened: gp.whitened, weights: gp.weights };
}

test("a process continued from an earlier one has the bits of one made anew, whatever rows they share", () => {
  const theta = Float64Array.of(-0.5, -0.7, -0.2, 0.1, Math.log(1e-3));
  const sizes = fc.integer({ min: 1, max: 140 });
  fc.assert(
    fc.property(sizes, sizes, fc.nat({ max: 140 }), fc.constantFrom(matern52, rbf), (before, now, changed, kernel) => {
      const all = randomData(140, 0, () => 0.01, 3);
      const grown = firstRows(all, now);
      // A trial told late is a row that was not there before.
      if (changed < now) grown.points[changed * dimension]! += 0.25;
      const earlier = conditionProcess(firstRows(all, before), kernel, theta);
      const continued = conditionProcess(grown, kernel, theta, meanPriorVariance, earlier);
      expect(bitsOf(continued)).toEqual(bitsOf(conditionProcess(grown, kernel, theta)));
    }),
    { numRuns: 30, seed: 8 },
  );
});

test("a process continued from one of another kernel, theta or jitter has the bits of one made anew too", () => {
  const theta = Float64Array.of(0, 0, 0, 0, Number.NEGATIVE_INFINITY);
  const twice = randomData(40, 10, () => 0, 5);
  const unlike = [
    conditionProcess(twice, matern52, theta),
    conditionProcess(firstRows(twice, 45), rbf, theta),
    conditionProcess(firstRows(twice, 40), rbf, theta.with(1, 0.3)),
  ];
  expect(unlike.some(({ jitter }) => jitter > 0)).toBe(true);
  for (const n of [20, 42, 50]) {
    const anew = bitsOf(conditionProcess(firstRows(twice, n), rbf, theta));
    for (const earlier of unlike) {
      expect(bitsOf(conditionProcess(firstRows(twice, n), rbf, theta, meanPriorVariance, earlier))).toEqual(anew);
    }
  }
});

test("means at the training points need no prediction, and predictions in blocks are those of each point", () => {
  const some = randomData(150, 3, (i) => 0.001 * (i % 5), 6);
  const gp = conditionProcess(some, matern52, Float64Array.of(-0.5, -0.7, -0.2, 0.1, -6));
  const { means, variances } = predictLatents(gp, some.points, some.count);
  const weighted = predictMeans(gp, some.points, some.count);
  for (const [i, mean] of trainingMeans(gp).entries()) {
    const alone = predictLatent(gp, some.points.subarray(i * dimension, (i + 1) * dimension));
    expect(mean).toBeCloseTo(means[i]!, 9);
    expect(weighted[i]).toBe(means[i]);
    expect(alone).toEqual({ mean: means[i], variance: variances[i] });
  }
});

test("duplicates, noise from none to three decades more than the rest, any theta: never NaN, never thrown", () => {
  const logLength = fc.double({ min: Math.log(0.01), max: Math.log(1000), noNaN: true });
  const thetas = fc.tuple(logLength, logLength, logLength, fc.double({ min: -4, max: 4, noNaN: true }));
  const nuggets = fc.constantFrom(Number.NEGATIVE_INFINITY, Math.log(1e-8), 0);
  const noises = fc.constantFrom<(i: number) => number>(
    () => 0,
    (i) => 10 ** ((i % 7) - 6),
    (i) => (i % 2 ? 1e6 : 0),
  );
  fc.assert(
    fc.property(thetas, nuggets, noises, fc.constantFrom(matern52, rbf), (lengths, logNugget, noise, kernel) => {
      const some = randomData(24, 8, noise, 7);
      const theta = Float64Array.of(...lengths, logNugget);
      const gp = conditionProcess(some, kernel, theta);
      expect(gp.jitter).toBeLessThanOrEqual(1e-4 * gp.signalVariance);
      const gradient = new Float64Array(theta.length);
      expect(createFitObjective(some, kernel, undefined)(theta, gradient)).not.toBeNaN();
      const { means, variances } = predictLatents(gp, some.points, some.count);
      for (const value of [...means, ...variances, ...gradient]) expect(Number.isFinite(value)).toBe(true);
    }),
    { numRuns: 300, seed: 9 },
  );
});
