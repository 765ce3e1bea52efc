// Every analytic gradient against central finite differences.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Acquisition, createLogNoisyImprovement } from "../acquisition/acquisition.ts";
import { averageAcquisitions } from "../acquisition/average.ts";
import { sampleFantasies } from "../acquisition/fantasies.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createLogFeasibility } from "./feasibility.ts";
import { thetaPrior } from "./fit.ts";
import { conditionProcess, type TrainingData } from "./gp.ts";
import { matern52 } from "./kernels/matern52.ts";
import { rbf } from "./kernels/rbf.ts";
import { createFitObjective } from "./marginal-likelihood.ts";

const seeds = fc.nat({ max: 1_000_000 });

function randomData(seed: number, dimension: number, count: number): TrainingData {
  const stream = createStream(seed, 0, purposes.start);
  return {
    dimension,
    count,
    points: Float64Array.from({ length: count * dimension }, () => stream.uniform()),
    targets: Float64Array.from({ length: count }, () => stream.normal()),
    noiseVariances: Float64Array.from({ length: count }, () => 0.01 * stream.uniform()),
  };
}

function expectGradient(
  f: (x: Float64Array) => number,
  x: Float64Array,
  gradient: Float64Array,
  step: number,
  digits: number,
): void {
  for (let k = 0; k < x.length; k++) {
    const shifted = (by: number): number => {
      const moved = x.slice();
      moved[k]! += by;
      return f(moved);
    };
    // Fourth-order central difference.
    const slope = (8 * (shifted(step) - shifted(-step)) - (shifted(2 * step) - shifted(-2 * step))) / (12 * step);
    const scale = Math.max(1, Math.hypot(...gradient));
    expect(gradient[k]! / scale).toBeCloseTo(slope / scale, digits);
  }
}

/** f at one row x [d], and its gradient when wanted. */
function atOnePoint(evaluate: Acquisition["evaluate"]): (x: Float64Array, gradient?: Float64Array) => number {
  return (x, gradient) => {
    const values = new Float64Array(1);
    evaluate(x, 1, values, gradient);
    return values[0]!;
  };
}

test.each([
  { name: "Matern", kernel: matern52, atZero: -5 / 6 },
  { name: "RBF", kernel: rbf, atZero: -1 / 2 },
])("the $name derivative is the slope of the correlation", ({ kernel, atZero }) => {
  const correlation = (r2: number, derivatives?: Float64Array): number => {
    const values = Float64Array.of(r2);
    kernel.correlate(values, 1, derivatives);
    return values[0]!;
  };
  const slope = new Float64Array(1);
  for (const r2 of [1e-4, 0.1, 1, 7]) {
    expect(correlation(r2, slope)).toBe(correlation(r2));
    expectGradient((x) => correlation(x[0]!), Float64Array.of(r2), slope, 1e-2 * r2, 8);
  }
  expect(correlation(0, slope)).toBe(1);
  expect(slope[0]).toBe(atZero);
});

test("the fit objective's gradient by every hyper-parameter", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 15 }), (seed, d, n) => {
      const data = randomData(seed, d, n);
      const objective = createFitObjective(data, matern52, thetaPrior(d, false));
      const stream = createStream(seed, 1, purposes.start);
      const theta = Float64Array.from({ length: d + 2 }, (_, k) => (k <= d ? 1 : 3) * (stream.uniform() - 1));
      const gradient = new Float64Array(d + 2);
      objective(theta, gradient);
      const unused = new Float64Array(d + 2);
      expectGradient((x) => objective(x, unused), theta, gradient, 1e-3, 8);
    }),
    { numRuns: 40, seed: 6 },
  );
});

test("the gradient of two models' average acquisition with incumbents and pending points", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }), (seed, d, pending) => {
      const data = randomData(seed, d, 10);
      const theta = Float64Array.of(...new Array<number>(d).fill(Math.log(0.5)), 0.2, -3);
      const gp = conditionProcess(data, matern52, theta);
      const stream = createStream(seed, 2, purposes.start);
      const point = (): Float64Array => Float64Array.from({ length: d }, () => stream.uniform());
      const base = [data.points.slice(0, d), ...Array.from({ length: pending }, point)];
      const normals = Float64Array.from({ length: 16 * base.length }, () => stream.normal());
      const rough = createLogNoisyImprovement(sampleFantasies(gp, base, normals));
      const smooth = createLogNoisyImprovement(sampleFantasies(conditionProcess(data, rbf, theta), base, normals));
      const acquisition = averageAcquisitions([
        { logWeight: Math.log(0.3), acquisition: rough },
        { logWeight: Math.log(0.7), acquisition: smooth },
      ]);
      const f = atOnePoint(acquisition.evaluate);
      const x = point();
      const gradient = new Float64Array(d);
      expect(f(x, gradient)).toBe(f(x));
      expectGradient(f, x, gradient, 1e-4, 7);
    }),
    { numRuns: 40, seed: 7 },
  );
});

test("a point among many has the value and the gradient it has alone, bit for bit", () => {
  const d = 3;
  const data = randomData(5, d, 70);
  const gp = conditionProcess(data, matern52, Float64Array.of(...new Array<number>(d).fill(Math.log(0.5)), 0.2, -3));
  const stream = createStream(5, 4, purposes.start);
  const base = [data.points.slice(0, d), Float64Array.from({ length: d }, () => stream.uniform())];
  const normals = Float64Array.from({ length: 16 * base.length }, () => stream.normal());
  const acquisition = createLogNoisyImprovement(sampleFantasies(gp, base, normals));
  const count = 300;
  const points = Float64Array.from({ length: count * d }, () => stream.uniform());
  const values = new Float64Array(count);
  const gradients = new Float64Array(count * d);
  acquisition.evaluate(points, count, values, gradients);
  const f = atOnePoint(acquisition.evaluate);
  for (let r = 0; r < count; r += 13) {
    const alone = new Float64Array(d);
    expect(f(points.subarray(r * d, (r + 1) * d), alone)).toBe(values[r]);
    expect(alone).toEqual(gradients.subarray(r * d, (r + 1) * d));
  }
});

test("the feasibility's gradient among successes and failures", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 5 }), (seed, d) => {
      const stream = createStream(seed, 3, purposes.start);
      const point = (): Float64Array => Float64Array.from({ length: d }, () => stream.uniform());
      const points = Array.from({ length: 12 }, point);
      const feasibility = createLogFeasibility(d, points.slice(0, 5), points.slice(5));
      const x = point();
      const gradient = new Float64Array(d);
      const f = atOnePoint(feasibility);
      expect(f(x, gradient)).toBe(f(x));
      gradient.fill(0);
      f(x, gradient);
      expectGradient(f, x, gradient, 1e-4, 6);
    }),
    { numRuns: 40, seed: 12 },
  );
});
