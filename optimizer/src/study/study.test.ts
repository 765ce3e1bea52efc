import { expect, test } from "vitest";
import { createStudy, type Dimension, type Importance, replay, type Study } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { coordinates, floats } from "../testing/problem.ts";

const coefficients: readonly Dimension[] = ["a", "b", "c"].map((name) => ({ name, kind: "float", low: 0, high: 1 }));
const spec = { dimensions: coefficients, seed: 11 };
const even = (value: number) => ({ a: value, b: value, c: value });

function tellAll(study: Study, score: (values: Record<string, number>) => number, trials: number): void {
  for (let k = 0; k < trials; k++) {
    const { id, values } = study.ask();
    study.tell(id, { values: [score(values as Record<string, number>)] });
  }
}

test("it starts with what was enqueued, the uniform-scale line, the centre and Sobol points, then the model", () => {
  const study = createStudy(spec);
  study.enqueue(even(1 / 3));
  study.enqueue({ a: 1, b: 0, c: 0 });
  const origins: string[] = [];
  for (let k = 0; k < 10; k++) {
    const { id, values, origin } = study.ask();
    origins.push(origin);
    study.tell(id, { values: [-((Number(values["a"]) - 0.4) ** 2)] });
  }
  expect(origins).toEqual([
    "enqueued",
    "enqueued",
    "line",
    "line",
    "centre",
    "sobol",
    "sobol",
    "sobol",
    "model",
    "model",
  ]);
  const asked = study.events.filter((event) => event.type === "ask").map((event) => event.values);
  expect(asked[0]).toEqual(even(1 / 3));
  expect(asked.slice(2, 5)).toEqual([even(0.3), even(0.7), even(0.5)]);
});

test("a space without a shared range has no line", () => {
  const study = createStudy({
    ...spec,
    dimensions: [...coefficients, { name: "k", kind: "integer", low: 1, high: 9 }],
  });
  expect(study.ask()).toEqual({ id: 0, origin: "centre", values: { a: 0.5, b: 0.5, c: 0.5, k: 5 } });
  expect(study.ask().origin).toBe("sobol");
});

test("a point enqueued twice, or one already evaluated, is asked once", () => {
  const study = createStudy(spec);
  study.enqueue(even(0.2));
  study.enqueue(even(0.2));
  study.enqueue(even(0.9));
  expect([study.ask(), study.ask(), study.ask()].map((proposal) => proposal.origin)).toEqual([
    "enqueued",
    "enqueued",
    "line",
  ]);
});

test("tell and fail count once: the first wins, and a late tell of a released trial is welcome", () => {
  const study = createStudy(spec);
  const [first, second, third] = [study.ask(), study.ask(), study.ask()];
  study.tell(first.id, { values: [1] });
  study.tell(first.id, { values: [2] });
  study.fail(first.id, "late");
  study.fail(second.id, "worker lost");
  study.tell(second.id, { values: [3] });
  study.release(third.id);
  study.tell(third.id, { values: [0.5], standardErrors: [0.1] });
  expect(study.events.slice(3)).toEqual([
    { type: "tell", id: 0, values: [1] },
    { type: "fail", id: 1, reason: "worker lost" },
    { type: "release", id: 2 },
    { type: "tell", id: 2, values: [0.5], standardErrors: [0.1] },
  ]);
  expect(study.recommend()).toMatchObject({ id: 0, trials: 2, observed: { value: 1 } });
});

test("a released point is proposed again, an enqueued one before anything else", () => {
  const study = createStudy(spec);
  study.enqueue(even(0.2));
  const enqueued = study.ask();
  const line = study.ask();
  study.release(line.id);
  study.release(enqueued.id);
  expect(study.ask()).toEqual({ ...enqueued, id: 2 });
  expect(study.ask()).toEqual({ ...line, id: 3 });
});

test("scores that are not finite become failures with the reason in the log", () => {
  const study = createStudy(spec);
  for (const outcome of [
    { values: [Number.NaN] },
    { values: [Number.POSITIVE_INFINITY] },
    { values: [1], standardErrors: [-1] },
  ]) {
    study.tell(study.ask().id, outcome);
  }
  expect(study.events.filter((event) => event.type === "fail").map((event) => event.reason)).toEqual([
    "score NaN is not finite",
    "score Infinity is not finite",
    "standard error -1 is not a finite number >= 0",
  ]);
  expect(study.recommend()).toBeUndefined();
});

test("the recommendation is the posterior's best, not the luckiest observation", () => {
  const study = createStudy(spec);
  tellAll(study, (v) => 0.7 - (v["a"]! - 0.6) ** 2 - (v["b"]! - 0.3) ** 2, 20);
  study.enqueue({ a: 0, b: 1, c: 0.5 });
  study.tell(study.ask().id, { values: [0.75], standardErrors: [0.5] });
  const best = study.recommend()!;
  expect(best.observed.value).toBeLessThan(0.71);
  expect(Math.abs(Number(best.values["a"]) - 0.6)).toBeLessThan(0.1);
  expect(best.mean).toBeCloseTo(0.7, 2);
  expect(best.credibleInterval[0]).toBeLessThan(best.mean);
  expect(best.credibleInterval[1] - best.mean).toBeCloseTo(1.96 * best.standardDeviation, 4);
  expect(best.probabilityBest).toBeGreaterThan(0.05);
  expect(best.probabilityBest).toBeLessThanOrEqual(1);
});

test("predictions are confident where trials are and less so elsewhere; importance names what matters", () => {
  const study = createStudy({
    ...spec,
    dimensions: [...coefficients, { name: "fixed", kind: "float", low: 2, high: 2 }],
  });
  const none = { share: 0, credibleInterval: [0, 0] };
  expect(study.importance()).toEqual({ a: none, b: none, c: none, fixed: none });
  expect(() => study.predict([{ ...even(0.5), fixed: 2 }])).toThrow(/no prediction: no trial is complete yet/);
  tellAll(study, (v) => Math.sin(3 * v["a"]!) + 0.1 * v["b"]!, 16);
  const [near, far] = study.predict([
    { a: 0.5, b: 0.5, c: 0.5, fixed: 2 },
    { a: 0, b: 1, c: 1, fixed: 2 },
  ]);
  expect(near!.mean).toBeCloseTo(Math.sin(1.5) + 0.05, 1);
  expect(near!.standardDeviation).toBeLessThan(far!.standardDeviation);
  const { a, b, c, fixed } = study.importance() as Record<"a" | "b" | "c" | "fixed", Importance>;
  expect(a.share).toBeGreaterThan(0.8);
  expect(a.share + b.share + c.share).toBeCloseTo(1, 12);
  expect(fixed).toEqual(none);
});

test("bad input is refused and leaves no trace in the log", () => {
  expect(() => createStudy({ ...spec, seed: -1 })).toThrow(/seed must be/);
  expect(() => createStudy({ ...spec, initialTrials: 0 })).toThrow(/initialTrials must be/);
  const study = createStudy(spec);
  expect(() => study.enqueue(even(2))).toThrow(/outside \[0, 1\]/);
  expect(() => study.tell(0, { values: [1] })).toThrow(/trial 0 was never asked for/);
  expect(study.events).toEqual([]);
});

test("a log that contradicts itself or the spec is refused", () => {
  const study = createStudy(spec);
  tellAll(study, (v) => v["a"]!, 2);
  expect(() => replay(spec, study.events.slice(1))).toThrow(/never asked for/);
  expect(() => replay({ ...spec, dimensions: coefficients.slice(1) }, study.events)).toThrow(/unknown dimension "a"/);
  expect(() => replay(spec, [...study.events, study.events[0]!])).toThrow(/id 0, expected 2/);
  expect(() => replay(spec, [...study.events, study.events[1]!])).toThrow(/trial 0, which is already complete/);
});

test("where evaluating again draws new noise, points are evaluated again; elsewhere none ever is", () => {
  const repeats = (replicates: boolean): number => {
    const dimensions: Dimension[] = [{ name: "a", kind: "integer", low: 0, high: 40 }];
    const study = createStudy({ dimensions, seed: 8, replicates });
    const seen = new Set<string>();
    for (let k = 0; k < 24; k++) {
      const { id, values } = study.ask();
      seen.add(JSON.stringify(values));
      const noise = 0.3 * createStream(8, k, purposes.fantasies).normal();
      study.tell(id, { values: [noise - (Number(values["a"]) / 40 - 0.4) ** 2] });
    }
    return 24 - seen.size;
  };
  expect(repeats(true)).toBeGreaterThan(0);
  expect(repeats(false)).toBe(0);
});

test("a search that has converged looks elsewhere every other time", () => {
  const study = createStudy({ dimensions: floats(2, 0, 1), seed: 9 });
  for (let k = 0; k < 30; k++) {
    const { id, values } = study.ask();
    const [a, b] = coordinates({ dimensions: floats(2, 0, 1) }, values) as [number, number];
    study.tell(id, { values: [-((a - 0.4) ** 2) - (b - 0.6) ** 2] });
  }
  const asked = study.events.filter((event) => event.type === "ask" && event.model !== undefined);
  const exploring = asked.map((event) => event.type === "ask" && event.model!.isExploring);
  expect(exploring.filter(Boolean).length).toBeGreaterThan(5);
  for (let k = 1; k < exploring.length; k++) expect(exploring[k] && exploring[k - 1]).toBe(false);
});
