import fc from "fast-check";
import { expect, test } from "vitest";
import { createStream, purposes } from "../numerics/rng.ts";
import { pairedDifference } from "./paired.ts";

const items = (...results: number[]) => Uint8Array.from(results);
const bits = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)), { minLength: 1, maxLength: 60 });
const tasks = fc.array(bits, { minLength: 1, maxLength: 4 }).map((pairs) => ({
  a: pairs.map((task) => Uint8Array.from(task, ([first]) => first)),
  b: pairs.map((task) => Uint8Array.from(task, ([, second]) => second)),
}));

test("the difference is that of the mean scores, and turns its sign with the candidates", () => {
  const mean = (results: readonly Uint8Array[]): number =>
    results.reduce((sum, task) => sum + task.reduce((n, one) => n + one, 0) / task.length, 0) / results.length;
  fc.assert(
    fc.property(tasks, ({ a, b }) => {
      const there = pairedDifference(a, b);
      const back = pairedDifference(b, a);
      expect(there.difference).toBeCloseTo(mean(a) - mean(b), 12);
      expect(back.difference).toBeCloseTo(-there.difference, 12);
      expect(back.standardError).toBe(there.standardError);
      expect(there.probabilityBetter + back.probabilityBetter).toBeCloseTo(1, 12);
    }),
  );
});

test("items that do not tell the two apart leave both possible", () => {
  const same = pairedDifference([items(1, 0, 1)], [items(1, 0, 1)]);
  expect(same.difference).toBe(0);
  expect(same.probabilityBetter).toBeCloseTo(0.5, 12);
  expect(pairedDifference([items(1)], [items(0)]).probabilityBetter).toBeLessThan(0.95);
});

test("a weight of 0 leaves a task out", () => {
  const alone = pairedDifference([items(1, 1, 0)], [items(0, 1, 0)]);
  expect(pairedDifference([items(1, 1, 0), items(0)], [items(0, 1, 0), items(1)], [2, 0])).toEqual(alone);
});

test("95 of 100 intervals of two standard errors cover the true difference", () => {
  let covered = 0;
  const trials = 400;
  for (let trial = 0; trial < trials; trial++) {
    const stream = createStream(7, trial, purposes.candidates);
    const draw = Array.from({ length: 100 }, () => {
      const easy = stream.uniform();
      // The candidate is right where easy < 0.7, the other where easy < 0.6: results that go together.
      return [easy < 0.7 ? 1 : 0, (stream.uniform() < 0.1 ? stream.uniform() : easy) < 0.6 ? 1 : 0] as const;
    });
    const { difference, standardError } = pairedDifference(
      [Uint8Array.from(draw, ([a]) => a)],
      [Uint8Array.from(draw, ([, b]) => b)],
    );
    if (Math.abs(difference - 0.1) <= 2 * standardError) covered++;
  }
  expect(covered / trials).toBeGreaterThan(0.92);
});

test("results of other items are refused", () => {
  expect(() => pairedDifference([items(1, 0)], [items(1)])).toThrow("same tasks and items");
  expect(() => pairedDifference([], [])).toThrow("same tasks and items");
});

test("numbers other than zeros and ones have the paired sample variance; one item is no certainty", () => {
  const [a, b] = [Float32Array.of(1, 2, 4), Float32Array.of(0.5, 2.5, 3)];
  const { difference, standardError, probabilityBetter } = pairedDifference([a], [b]);
  expect(difference).toBeCloseTo(1 / 3, 12);
  expect(standardError).toBeCloseTo(Math.sqrt(7 / 12 / 3), 12);
  expect(probabilityBetter).toBeGreaterThan(0.5);
  expect(pairedDifference([Float32Array.of(3)], [Float32Array.of(1)])).toMatchObject({
    standardError: Number.POSITIVE_INFINITY,
    probabilityBetter: 0.5,
  });
  expect(pairedDifference([a], [a])).toEqual({ difference: 0, standardError: 0, probabilityBetter: 0.5 });
});

test("a candidate that is better by the same on every item is surely better", () => {
  const better = pairedDifference([Float32Array.of(1, 2)], [Float32Array.of(0, 1)]);
  expect(better).toEqual({ difference: 1, standardError: 0, probabilityBetter: 1 });
});
