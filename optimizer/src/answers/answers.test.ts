import { expect, test } from "vitest";
import { createStudy, type Dimension, type Study, type StudySpec } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";

const dimensions: Dimension[] = ["a", "b"].map((name) => ({ name, kind: "float", low: 0, high: 1 }));
const spec: StudySpec = { dimensions, seed: 5, initialTrials: 6 };
const score = (a: number, b: number): number => 0.8 - (a - 0.6) ** 2 - 0.2 * (b - 0.3) ** 2;

/** A study that was given `score` at scattered points, with normal noise whose standard error is told. */
function observed(trials: number, standardError: number, own: StudySpec = spec): Study {
  const study = createStudy(own);
  const stream = createStream(8, 0, purposes.start);
  for (let k = 0; k < trials; k++) {
    const [a, b] = [stream.uniform(), stream.uniform()];
    const others = own === spec ? {} : { k: 1 + (k % 4), m: ["x", "y", "z"][k % 3]! };
    const value = score(a, b) + standardError * stream.normal();
    study.addObservation({ a, b, ...others }, { values: [value], standardErrors: [standardError] });
  }
  return study;
}

test("leaders are different points, best first, and their probabilities to be the best add up to 1", () => {
  const study = observed(14, 0.02);
  const first = study.trials()[0]!.values;
  for (const value of [0.7, 0.74]) study.addObservation(first, { values: [value], standardErrors: [0.02] });
  const leaders = study.leaders(100);
  expect(leaders).toHaveLength(14);
  expect(leaders[0]).toEqual(study.recommend());
  expect(study.leaders(3)).toEqual(leaders.slice(0, 3));
  const means = leaders.map(({ mean }) => mean);
  expect(means).toEqual(means.toSorted((a, b) => b - a));
  expect(leaders.reduce((sum, { probabilityBest }) => sum + probabilityBest, 0)).toBeCloseTo(1, 9);
  const again = leaders.find(({ id }) => id === 0)!;
  expect(again.values).toEqual(first);
  const [told] = study.trials()[0]!.outcome!.values;
  expect(again.observed.evaluations).toBe(3);
  expect(again.observed.value).toBeCloseTo((told! + 0.7 + 0.74) / 3, 12);
  expect(again.observed.standardError).toBeCloseTo(0.02 / Math.sqrt(3), 12);
  expect(createStudy(spec).leaders(3)).toEqual([]);
});

test("a gain over a bad baseline is certain, over a good one it is not, and over itself there is none", () => {
  const study = observed(16, 0.02);
  const best = study.recommend()!;
  const bad = study.improvementOver([{ a: 0, b: 1 }]);
  expect(bad.probability).toBeGreaterThan(0.99);
  expect(bad.mean).toBeGreaterThan(0.2);
  expect(bad.credibleInterval[0]).toBeGreaterThan(0);
  const good = study.improvementOver([{ a: 0.6, b: 0.3 }]);
  expect(good.probability).toBeLessThan(0.95);
  expect(good.credibleInterval[0]).toBeLessThan(0);
  const both = study.improvementOver([
    { a: 0, b: 1 },
    { a: 0.6, b: 0.3 },
  ]);
  expect(both.mean).toBeCloseTo(good.mean, 2);
  expect(study.improvementOver([best.id])).toEqual({
    mean: 0,
    standardDeviation: 0,
    credibleInterval: [0, 0],
    probability: 0,
  });
  expect(study.improvementOver([best.id, { a: 0.6, b: 0.3 }]).probability).toBe(0);
});

test("what two points have in common cancels: their difference is known better than either", () => {
  const study = observed(12, 0.05);
  const { id, standardDeviation } = study.recommend()!;
  const { a, b } = study.trials()[id]!.values as Record<"a" | "b", number>;
  const near = { a: a > 0.5 ? a - 0.05 : a + 0.05, b };
  expect(study.improvementOver([near]).standardDeviation).toBeLessThan(0.8 * standardDeviation);
});

test("a slice runs from one end of a dimension to the other through the recommended point or a given one", () => {
  const own: StudySpec = {
    ...spec,
    dimensions: [
      ...dimensions,
      { name: "k", kind: "integer", low: 1, high: 4 },
      { name: "m", kind: "categorical", choices: ["x", "y", "z"] },
    ],
  };
  const study = observed(20, 0, own);
  const slice = study.slice("a", { count: 11 });
  expect(slice.map(({ value }) => value)).toEqual(
    [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1].map((value) => expect.closeTo(value, 12)),
  );
  expect(slice.reduce((best, point) => (point.mean > best.mean ? point : best)).value).toBeCloseTo(0.6, 0);
  for (const {
    mean,
    credibleInterval: [low, high],
  } of slice)
    expect(low < mean && mean < high).toBe(true);
  const { values } = study.recommend()!;
  const [mean] = study.predict([{ ...values, a: 0 }]);
  expect(slice[0]!.mean).toBe(mean!.mean);
  expect(study.slice("k").map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  expect(study.slice("m", { through: { a: 0, b: 0, k: 1, m: "y" } }).map(({ value }) => value)).toEqual([
    "x",
    "y",
    "z",
  ]);
  expect(() => study.slice("q")).toThrow(/unknown dimension "q"/);
  expect(() => study.slice("a", { count: 1 })).toThrow(/2 points or more/);
  expect(() => study.slice("a", { through: { a: 2, b: 0, k: 1, m: "y" } })).toThrow(/outside/);
});

test("what has no slice says so", () => {
  const study = createStudy({
    dimensions: [
      { name: "w", kind: "simplex", members: ["p", "q", "r"] },
      { name: "s", kind: "float", low: 2, high: 2 },
    ],
    seed: 1,
  });
  expect(() => study.slice("w")).toThrow(/no slice: no trial is complete yet/);
  study.tell(study.ask().id, { values: [1] });
  expect(() => study.slice("w")).toThrow(/"w" is a simplex: its weights cannot change one at a time/);
  expect(() => study.slice("s")).toThrow(/"s" is fixed/);
});

test("importance of a sum of squares is its shares of the variance, and narrows with what is learnt", () => {
  // Of uniform x, Var((x - c)^2) = 1 / 180 + (c - 1 / 2)^2 / 3.
  const exact =
    (1 / 180 + (0.6 - 0.5) ** 2 / 3) / (1 / 180 + (0.6 - 0.5) ** 2 / 3 + 0.04 * (1 / 180 + (0.3 - 0.5) ** 2 / 3));
  const [early, late] = [observed(6, 0.05), observed(24, 0.005)].map((study) => study.importance());
  expect(late!["a"]!.share).toBeCloseTo(exact, 1);
  expect(late!["a"]!.share + late!["b"]!.share).toBeCloseTo(1, 9);
  const width = ({ credibleInterval: [low, high] }: { credibleInterval: readonly [number, number] }): number =>
    high - low;
  expect(width(late!["a"]!)).toBeLessThan(0.5 * width(early!["a"]!));
  for (const {
    share,
    credibleInterval: [low, high],
  } of Object.values(late!))
    expect(low <= share && share <= high).toBe(true);
});

test("without a complete trial there is nothing to answer from", () => {
  const study = createStudy(spec);
  study.ask();
  expect(() => study.improvementOver([0])).toThrow(/no improvement: no trial is complete yet/);
  expect(() => study.improvementOver([])).toThrow(/at least one baseline/);
  expect(() => study.improvementOver([7])).toThrow(/trial 7 was never asked for/);
  expect(() => study.predict([{ a: 0, b: 7 }])).toThrow(/outside/);
  expect(study.shouldStop()).toMatchObject({ stop: false, reason: "0 of at least 12 trials" });
});
