import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conditionProcess, predictLatent, type TrainingData } from "../model/gp.ts";
import { matern52 } from "../model/kernels/matern52.ts";
import { normalDistribution } from "../numerics/normal.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { hypervolume } from "../objective/boxes.ts";
import type { Acquisition } from "./acquisition.ts";
import { type ConditionalBelief, createConditionalBelief, type WeightedProcess } from "./conditional.ts";
import { boundFactor, createExpectedProduct } from "./expected-product.ts";
import { hypervolumeFactor } from "./hypervolume-improvement.ts";
import { logImprovement } from "./log-improvement.ts";
import { smallestFactor } from "./smallest-improvement.ts";

const units = [0.1, 0.35, 0.5, 0.75, 0.95];

/** Two kernels' worth of beliefs in metric j, which wants x near j / 3; two dimensions, the second one idle. */
function processes(j: number, nugget = 1e-4): WeightedProcess[] {
  const data: TrainingData = {
    dimension: 2,
    count: units.length,
    points: Float64Array.from(units.flatMap((x, i) => [x, (i * 0.37) % 1])),
    targets: Float64Array.from(units, (x) => 1 - 4 * (x - j / 3) ** 2),
    noiseVariances: new Float64Array(units.length),
  };
  const process = (length: number) =>
    conditionProcess(data, matern52, Float64Array.of(Math.log(length), Math.log(1), 0, Math.log(nugget)));
  return [
    { gp: process(0.15), weight: 0.7 },
    { gp: process(0.3), weight: 0.3 },
  ];
}

const base = [
  [0.1, 0],
  [0.35, 0.37],
  [0.75, 0.11],
  [0.6, 0.9],
].map((x) => Float64Array.from(x));

function beliefs(objectives: number, samples: number, of = processes): ConditionalBelief[] {
  const stream = createStream(3, 0, purposes.fantasies);
  return Array.from({ length: objectives }, (_, j) =>
    createConditionalBelief(
      of(j),
      base,
      Float64Array.from({ length: samples * base.length }, () => stream.normal()),
      Float64Array.from({ length: samples }, () => stream.uniform()),
    ),
  );
}

const always = (): boolean => true;
const point = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 2 });

const valueAt = (acquisition: Acquisition, x: Float64Array, gradient?: Float64Array): number => {
  const values = new Float64Array(1);
  acquisition.evaluate(x, 1, values, gradient);
  return values[0]!;
};

/** Central differences, worst relative error over the coordinates. */
function expectGradient(acquisition: Acquisition, x: Float64Array): void {
  const gradient = new Float64Array(x.length);
  const value = valueAt(acquisition, x, gradient);
  expect(value).toBe(valueAt(acquisition, x));
  for (const [k, slope] of gradient.entries()) {
    const step = 1e-6;
    const at = (shift: number): number =>
      valueAt(
        acquisition,
        x.map((u, i) => (i === k ? u + shift : u)),
      );
    const numeric = (at(step) - at(-step)) / (2 * step);
    expect(Math.abs(slope - numeric)).toBeLessThan(1e-5 * Math.max(1, Math.abs(slope)));
  }
}

describe.each([2, 3, 4])("expected hypervolume improvement of %i objectives", (objectives) => {
  const reference = Array.from({ length: objectives }, () => -1.5);

  test("is what simulation at the point gives, sample by sample", () => {
    const all = beliefs(objectives, 3);
    const factor = hypervolumeFactor(all, () => reference, always);
    const stream = createStream(4, 0, purposes.pruning);
    let largest = 0;
    for (const x of [
      [0.2, 0.9],
      [0.5, 0.9],
      [0.99, 0.99],
    ]) {
      const moments = all.map((belief) => belief.at(Float64Array.from(x), 1, false));
      for (let m = 0; m < 3; m++) {
        const front = base.flatMap((_, b) => all.map(({ values }) => values[m * base.length + b]!));
        const before = hypervolume(Float64Array.from(front), reference);
        const draws = 2000;
        let sum = 0;
        let squares = 0;
        for (let draw = 0; draw < draws; draw++) {
          const z = moments.map(({ means, deviations }) => means[m]! + deviations[m]! * stream.normal());
          const gain = hypervolume(Float64Array.of(...front, ...z), reference) - before;
          sum += gain / draws;
          squares += gain ** 2 / draws;
        }
        const error = Math.sqrt((squares - sum ** 2) / draws);
        const expected = Math.exp(factor.logGiven(m, m, moments));
        expect(Math.abs(sum - expected)).toBeLessThan(4 * error + 1e-4);
        largest = Math.max(largest, expected);
      }
    }
    expect(largest).toBeGreaterThan(0.1);
  });

  test("has the gradient of its value, near the front and far below it", () => {
    const volume = (from: readonly number[]) =>
      createExpectedProduct([hypervolumeFactor(beliefs(objectives, 6), () => from, always)]);
    const [near, hopeless] = [volume(reference), volume(reference.map(() => 40))];
    fc.assert(
      fc.property(point, (x) => {
        expectGradient(near, Float64Array.from(x));
        expectGradient(hopeless, Float64Array.from(x));
      }),
      { numRuns: 30, seed: 2 },
    );
    expect(valueAt(hopeless, Float64Array.of(0.5, 0.5))).toBeLessThan(-500);
  });

  test("a base point that does not count leaves what it dominated to be gained", () => {
    const x = Float64Array.of(0.36, 0.4);
    const volume = (counts: () => boolean) =>
      createExpectedProduct([hypervolumeFactor(beliefs(objectives, 8), () => reference, counts)]);
    expect(
      valueAt(
        volume(() => false),
        x,
      ),
    ).toBeGreaterThan(valueAt(volume(always), x) + 1);
  });
});

test("with one objective it is the expected improvement over the best sampled value, and samples count by their weights", () => {
  const belief = beliefs(1, 3)[0]!;
  const logWeights = Float64Array.of(0, -1, 2);
  const acquisition = createExpectedProduct([hypervolumeFactor([belief], () => [-9], always)], logWeights);
  for (const x of [0.05, 0.4, 0.5, 0.8]) {
    const { means, deviations } = belief.at(Float64Array.of(x, 0.3), 1, false);
    const improvements = logWeights.map((logWeight, m) => {
      const best = Math.max(...belief.values.subarray(m * base.length, (m + 1) * base.length));
      return Math.exp(logWeight + logImprovement((means[m]! - best) / deviations[m]!)) * deviations[m]!;
    });
    const expected = Math.log(improvements.reduce((sum, value) => sum + value, 0) / 3);
    expect(valueAt(acquisition, Float64Array.of(x, 0.3))).toBeCloseTo(expected, 9);
  }
});

/** A score, half of whose samples have nothing to improve on, and two bounds, of which one is nearly out of reach. */
const bounded = (): Acquisition => {
  const [score, first, second] = beliefs(3, 6);
  const volume = hypervolumeFactor(
    [score!],
    (m) => [0.5 + 0.1 * m],
    (m) => m % 2 === 0,
  );
  const bounds = [boundFactor(first!, 0.2), boundFactor(second!, 4)];
  return createExpectedProduct([volume, ...bounds], Float64Array.of(0, 1, -1, 0, 2, 0));
};

test("improvement times the probability that bounds hold has the gradient of its value", () => {
  const acquisition = bounded();
  fc.assert(
    fc.property(point, (x) => expectGradient(acquisition, Float64Array.from(x))),
    { numRuns: 30, seed: 3 },
  );
});

test("improvement of the smallest metric is what simulation gives, and has the gradient of its value", () => {
  const all = beliefs(3, 4);
  const units = [1, 2, 0.5].map((scale) => ({ offset: 0.1 * scale, scale }));
  const thresholds = Float64Array.from(all[0]!.values.subarray(0, 4), (_, m) => 0.1 * m);
  const factor = smallestFactor(all, units, thresholds);
  const acquisition = createExpectedProduct([factor, boundFactor(all[1]!, 0.5)]);
  fc.assert(
    fc.property(point, (x) => expectGradient(acquisition, Float64Array.from(x))),
    { numRuns: 30, seed: 4 },
  );
  const stream = createStream(6, 0, purposes.pruning);
  const moments = all.map((belief) => belief.at(Float64Array.of(0.45, 0.9), 1, false));
  for (let m = 0; m < 4; m++) {
    let simulated = 0;
    for (let draw = 0; draw < 20_000; draw++) {
      const values = moments.map(({ means, deviations }, j) => {
        const { offset, scale } = units[j]!;
        return offset + scale * (means[m]! + deviations[m]! * stream.normal());
      });
      simulated += Math.max(0, Math.min(...values) - thresholds[m]!) / 20_000;
    }
    // Three normals: the smallest of two is taken as normal.
    expect(Math.exp(factor.logGiven(m, m, moments))).toBeCloseTo(simulated, 1);
    expect(Math.abs(Math.exp(factor.logGiven(m, m, moments)) / simulated - 1)).toBeLessThan(0.1);
  }
});

test("a point has the same value and gradient alone and among others", () => {
  const acquisition = bounded();
  const count = 150;
  const points = Float64Array.from({ length: 2 * count }, (_, i) => (i * 0.3819) % 1);
  const [values, gradients] = [new Float64Array(count), new Float64Array(2 * count)];
  acquisition.evaluate(points, count, values, gradients);
  for (const r of [0, 63, 64, 149]) {
    const gradient = new Float64Array(2);
    expect(valueAt(acquisition, points.slice(2 * r, 2 * r + 2), gradient)).toBe(values[r]);
    expect(gradient).toEqual(gradients.slice(2 * r, 2 * r + 2));
  }
});

test("the probability of a bound is that of the posterior, averaged over the members and whatever is pending", () => {
  const members = processes(1, 0.05);
  const [belief] = beliefs(1, 4000, () => members);
  const acquisition = createExpectedProduct([boundFactor(belief!, 0.3)]);
  for (const x of [0.2, 0.6, 0.9]) {
    const at = Float64Array.of(x, 0.4);
    const expected = members.reduce((sum, { gp, weight }) => {
      const { mean, variance } = predictLatent(gp, at);
      return sum + weight * normalDistribution((mean - 0.3) / Math.sqrt(variance));
    }, 0);
    expect(Math.abs(Math.exp(valueAt(acquisition, at)) - expected)).toBeLessThan(0.02);
  }
});
