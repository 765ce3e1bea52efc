import { expect, test } from "vitest";
import { createStudy, type StudySpec } from "../index.ts";
import { replayedAsks } from "../testing/prefixes.ts";

const spec: StudySpec = {
  dimensions: ["a", "b"].map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const),
  seed: 2,
  initialTrials: 4,
};
const score = (a: number, b: number): number => 1 - (a - 0.7) ** 2 - (b - 0.2) ** 2;
const grid = [0.1, 0.4, 0.9].flatMap((a) => [0.1, 0.4, 0.9].map((b) => ({ a, b })));

test("what was measured elsewhere stands in for the initial trials and is what the model learns from", () => {
  const study = createStudy(spec);
  for (const { a, b } of grid) study.addObservation({ a, b }, { values: [score(a, b)] }, "by hand");
  const { id, origin, values } = study.ask();
  expect({ id, origin }).toEqual({ id: grid.length, origin: "model" });
  expect(score(Number(values["a"]), Number(values["b"]))).toBeGreaterThan(0.95);
  expect(study.recommend()).toMatchObject({ values: { a: 0.9, b: 0.1 }, trials: grid.length });
  expect(study.events[0]).toEqual({
    type: "observe",
    id: 0,
    values: { a: 0.1, b: 0.1 },
    result: { values: [score(0.1, 0.1)] },
    source: "by hand",
  });
});

test("observations survive a replay, wherever it happens, and are not asked for again", () => {
  const study = createStudy(spec);
  for (const [index, { a, b }] of grid.entries()) {
    study.addObservation({ a, b }, { values: [score(a, b)], standardErrors: [0.01], items: 50, cost: 3 });
    if (index % 3 === 0) study.ask();
  }
  expect(study.enqueue(grid[4]!)).toBe(
    study.events.findIndex((e) => e.type === "observe" && e.values["a"] === 0.4 && e.values["b"] === 0.4),
  );
  expect(study.enqueue({ a: 0.33, b: 0.66 })).toBeUndefined();
  expect(study.ask()).toMatchObject({ origin: "enqueued", values: { a: 0.33, b: 0.66 } });
  const asks = replayedAsks(study);
  expect(asks.length).toBeGreaterThan(2);
  for (const { asked, replayed } of asks) expect(replayed).toBe(asked);
});

test("a failure elsewhere, or a score that is not finite, repels as a failed trial does", () => {
  const study = createStudy(spec);
  study.addObservation({ a: 0.1, b: 0.1 }, { reason: "diverged" });
  study.addObservation({ a: 0.2, b: 0.2 }, { values: [Number.NaN] });
  expect(study.events.map((event) => event.type === "observe" && event.result)).toEqual([
    { reason: "diverged" },
    { reason: "score NaN is not finite" },
  ]);
  expect(study.recommend()).toBeUndefined();
  study.tell(0, { values: [1] });
  study.release(1);
  expect(study.events).toHaveLength(2);
});

test("a point outside the space, or an outcome that is none, is refused and leaves no trace", () => {
  const study = createStudy(spec);
  expect(() => study.addObservation({ a: 1.5, b: 0 }, { values: [1] })).toThrow(
    /value 1.5 of dimension "a" is outside/,
  );
  expect(() => study.addObservation({ a: 0.5, b: 0 }, { values: [1, 2] })).toThrow(/has 2 values/);
  expect(() => study.addObservation({ a: 0.5, b: 0 }, { values: ["1"] as never })).toThrow(/list of numbers/);
  expect(() => study.addObservation({ a: 0.5, b: 0 }, { values: [1], items: 0.5 })).toThrow(/items .* whole number/);
  expect(() => study.addObservation({ a: 0.5, b: 0 }, { values: [1], cost: -1 })).toThrow(/cost .* >= 0/);
  expect(study.events).toEqual([]);
});

test("what the caller passed in may change afterwards without changing the study", () => {
  const study = createStudy(spec);
  const [point, values] = [{ a: 0.5, b: 0.5 }, [0.5]];
  study.addObservation(point, { values });
  study.enqueue(point);
  point.a = 0.9;
  values[0] = 7;
  expect(study.events).toEqual([
    { type: "observe", id: 0, values: { a: 0.5, b: 0.5 }, result: { values: [0.5] } },
    { type: "enqueue", values: { a: 0.5, b: 0.5 } },
  ]);
  expect(Object.isFrozen(study.events[0]!)).toBe(true);
});
