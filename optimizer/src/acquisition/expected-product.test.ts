import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conditionProcess, predictLatent, type TrainingData } from "../model/gp.ts";
import { matern52 } from "../model/kernels/matern52.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { hypervolume } from "../objective/boxes.ts";
import type { Acquisition } from "./acquisition.ts";
import { type ConditionalBelief, createConditionalBelief, type WeightedProcess } from "./conditional.ts";
import { boundFactor, createExpectedProduct, improvementFactor } from "./expected-product.ts";
import { hypervolumeFactor } from "./hypervolume-improvement.ts";

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
    const factor = hypervolumeFactor(all, reference, always);
    const derivatives = all.map(() => new Float64Array(3));
    const stream = createStream(4, 0, purposes.pruning);
    let largest = 0;
    for (const x of [
      [0.2, 0.9],
      [0.5, 0.9],
      [0.99, 0.99],
    ]) {
      for (const belief of all) belief.evaluate(Float64Array.from(x));
      for (let m = 0; m < 3; m++) {
        const front = base.flatMap((_, b) => all.map(({ values }) => values[m * base.length + b]!));
        const before = hypervolume(Float64Array.from(front), reference);
        const draws = 2000;
        let sum = 0;
        let squares = 0;
        for (let draw = 0; draw < draws; draw++) {
          const z = all.map(({ means, deviations }) => means[m]! + deviations[m]! * stream.normal());
          const gain = hypervolume(Float64Array.of(...front, ...z), reference) - before;
          sum += gain / draws;
          squares += gain ** 2 / draws;
        }
        const error = Math.sqrt((squares - sum ** 2) / draws);
        const expected = Math.exp(factor.logGiven(m, derivatives, derivatives));
        expect(Math.abs(sum - expected)).toBeLessThan(4 * error + 1e-4);
        largest = Math.max(largest, expected);
      }
    }
    expect(largest).toBeGreaterThan(0.1);
  });

  test("has the gradient of its value, near the front and far below it", () => {
    const acquisition = createExpectedProduct([hypervolumeFactor(beliefs(objectives, 6), reference, always)]);
    const hopeless = createExpectedProduct([
      hypervolumeFactor(
        beliefs(objectives, 6),
        reference.map(() => 9),
        always,
      ),
    ]);
    fc.assert(
      fc.property(point, (x) => {
        expectGradient(acquisition, Float64Array.from(x));
        expectGradient(hopeless, Float64Array.from(x));
      }),
      { numRuns: 30, seed: 2 },
    );
    expect(valueAt(hopeless, Float64Array.of(0.5, 0.5))).toBeLessThan(-50);
  });

  test("a base point that does not count leaves what it dominated to be gained", () => {
    const x = Float64Array.of(0.36, 0.4);
    const all = createExpectedProduct([hypervolumeFactor(beliefs(objectives, 8), reference, always)]);
    const none = createExpectedProduct([hypervolumeFactor(beliefs(objectives, 8), reference, () => false)]);
    expect(valueAt(none, x)).toBeGreaterThan(valueAt(all, x) + 1);
  });
});

test("with one objective it is the expected improvement, whose threshold is the best sampled value", () => {
  const [belief] = beliefs(1, 5);
  const bests = Float64Array.from({ length: 5 }, (_, m) =>
    Math.max(...belief!.values.subarray(m * base.length, (m + 1) * base.length)),
  );
  const volume = createExpectedProduct([hypervolumeFactor([belief!], [-9], always)]);
  const improvement = createExpectedProduct([improvementFactor(belief!, bests)]);
  for (const x of [0.05, 0.4, 0.5, 0.8]) {
    const at = Float64Array.of(x, 0.3);
    expect(valueAt(volume, at)).toBeCloseTo(valueAt(improvement, at), 9);
  }
});

test("improvement times the probability that bounds hold has the gradient of its value", () => {
  const [score, first, second] = beliefs(3, 6);
  const thresholds = Float64Array.from({ length: 6 }, (_, m) => 0.5 + 0.1 * m);
  const acquisition = createExpectedProduct([
    improvementFactor(score!, thresholds),
    boundFactor(first!, 0.2),
    boundFactor(second!, 4),
  ]);
  fc.assert(
    fc.property(point, (x) => expectGradient(acquisition, Float64Array.from(x))),
    { numRuns: 30, seed: 3 },
  );
});

test("the probability of a bound is that of the posterior, averaged over the members and whatever is pending", () => {
  const members = processes(1, 0.05);
  const samples = 4000;
  const [belief] = beliefs(1, samples, () => members);
  const acquisition = createExpectedProduct([boundFactor(belief!, 0.3)]);
  for (const x of [0.2, 0.6, 0.9]) {
    const at = Float64Array.of(x, 0.4);
    const stream = createStream(5, 0, purposes.bestness);
    let expected = 0;
    for (const { gp, weight } of members) {
      const { mean, variance } = predictLatent(gp, at);
      for (let draw = 0; draw < 4000; draw++)
        expected += mean + Math.sqrt(variance) * stream.normal() > 0.3 ? weight / 4000 : 0;
    }
    expect(Math.abs(Math.exp(valueAt(acquisition, at)) - expected)).toBeLessThan(0.03);
  }
});
