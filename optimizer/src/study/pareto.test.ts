// Fronts of trade-offs. Deterministic, so a failure is a regression rather than bad luck.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createStudy, replay, type Study, type StudyEvent, type StudySpec } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { createSobol } from "../numerics/sobol.ts";
import { hypervolume } from "../objective/boxes.ts";
import { dtlz2, type FrontProblem, mergeGroups, zdt } from "../testing/fronts.ts";
import { coordinates, evaluationStream, floats } from "../testing/problem.ts";

const trade = (problem: FrontProblem, seed: number): StudySpec => ({
  dimensions: problem.dimensions,
  metrics: problem.metrics,
  objective: { kind: "pareto" },
  seed,
});

/** The share of the true front's hypervolume that the evaluated points have, by their true values. */
function shareOf(problem: FrontProblem, points: readonly (readonly number[])[]): number {
  return hypervolume(Float64Array.from(points.flatMap(problem.values)), problem.reference) / problem.hypervolume;
}

function searched(problem: FrontProblem, seed: number, budget: number, inFlight: number): number {
  const study = createStudy(trade(problem, seed));
  const pending: ReturnType<Study["ask"]>[] = [];
  for (let k = 0; k < budget; k++) {
    while (pending.length < inFlight) pending.push(study.ask());
    const { id, values } = pending.shift()!;
    study.tell(id, problem.observe(coordinates(problem, values), evaluationStream(seed, id)));
  }
  return shareOf(
    problem,
    study
      .trials()
      .slice(0, budget)
      .map(({ values }) => coordinates(problem, values)),
  );
}

function scattered(problem: FrontProblem, seed: number, budget: number): number {
  const sobol = createSobol(problem.dimensions.length, createStream(seed, 0, purposes.candidates));
  const points = Array.from({ length: budget }, (_, index) => {
    const x = new Float64Array(problem.dimensions.length);
    sobol.point(index, x);
    return [...x];
  });
  return shareOf(problem, points);
}

test.each([
  { name: "ZDT1", problem: zdt(1, 4), budget: 24, inFlight: 1, atLeast: 0.7 },
  { name: "ZDT2", problem: zdt(2, 4), budget: 24, inFlight: 1, atLeast: 0.5 },
  { name: "DTLZ2 of two objectives", problem: dtlz2(2, 4), budget: 24, inFlight: 2, atLeast: 0.6 },
  { name: "DTLZ2 of three objectives", problem: dtlz2(3, 4), budget: 24, inFlight: 1, atLeast: 0.45 },
  {
    name: "eight tasks in two groups",
    problem: mergeGroups(8, 100, 2, [0.3, 0.3], 0.08),
    budget: 30,
    inFlight: 3,
    atLeast: 0.6,
  },
])("$name: the front has more volume than Sobol points of the same number have", (scenario) => {
  const { problem, budget, inFlight, atLeast } = scenario;
  for (const seed of [1, 2]) {
    const found = searched(problem, seed, budget, inFlight);
    expect(found).toBeGreaterThan(scattered(problem, seed, budget));
    expect(found).toBeGreaterThan(atLeast);
    expect(found).toBeLessThanOrEqual(1 + 1e-9);
  }
});

/** Told without asking: one trial at each of these values of the only dimension. */
function told(
  spec: Omit<StudySpec, "dimensions" | "seed">,
  at: readonly number[],
  values: (x: number) => number[],
): Study {
  const study = createStudy({ ...spec, dimensions: floats(1, 0, 1), seed: 5 });
  for (const x of at) study.addObservation({ x0: x }, { values: values(x) });
  return study;
}
const line = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const two: Omit<StudySpec, "dimensions" | "seed"> = { metrics: ["a", "b"], objective: { kind: "pareto" } };

test("the front is what no other point dominates; it has the picks one would make by hand", () => {
  // A quarter circle from (1, 0) to (0, 1), and dominated points below 0.
  const study = told(two, [...line], (x) => [Math.cos((x * Math.PI) / 2) ** 2 * (x === 0.3 ? 0.5 : 1), x ** 0.5]);
  const front = study.pareto()!;
  expect(front.points.map(({ id }) => id)).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 10].filter((id) => id !== 3));
  const firsts = front.points.map(({ metrics }) => metrics["a"]!.mean);
  expect(firsts).toEqual(firsts.toSorted((a, b) => b - a));
  expect(front.isFeasible).toBe(true);
  expect(front.trials).toBe(11);
  const mean = (x: number): number => Math.cos((x * Math.PI) / 2) ** 2 + x ** 0.5;
  const best = line.filter((x) => x !== 0.3).reduce((a, b) => (mean(b) > mean(a) ? b : a));
  expect(line[front.picks.bestMean]).toBe(best);
  expect(line[front.picks.knee]).toBe(best);
  expect(line[front.picks.bestWorst]).toBe(0.4);
  for (const { metrics, probabilityNonDominated, probabilityFeasible } of front.points) {
    const { mean, credibleInterval } = metrics["b"]!;
    expect(credibleInterval[0]).toBeLessThanOrEqual(mean);
    expect(credibleInterval[1]).toBeGreaterThanOrEqual(mean);
    expect(probabilityNonDominated).toBeGreaterThan(0.5);
    expect(probabilityFeasible).toBe(1);
  }
});

test("normalised by the experts the picks weigh the metrics by what their experts reach", () => {
  const values = (x: number): number[] => [10 * (1 - x ** 2), x];
  const plain = told(two, line, values).pareto()!;
  const objective = { kind: "pareto", normalise: { experts: [10, 1] } } as const;
  const weighed = told({ ...two, objective }, line, values).pareto()!;
  expect(line[plain.picks.bestMean]).toBeLessThan(0.15);
  expect(line[weighed.picks.bestMean]).toBe(0.5);
  expect(line[weighed.picks.bestWorst]).toBe(0.6);
});

test("constraints cut the front; where nothing keeps them the likeliest point stands alone and is said not to", () => {
  const values = (x: number): number[] => [1 - x, x];
  const bound = (atLeast: number): Study => told({ ...two, constraints: [{ metric: "b", atLeast }] }, line, values);
  const kept = bound(0.55).pareto()!;
  expect(kept.points.map(({ id }) => line[id])).toEqual([0.6, 0.7, 0.8, 0.9, 1]);
  expect(kept.isFeasible).toBe(true);
  const none = bound(3).pareto()!;
  expect(none.isFeasible).toBe(false);
  expect(none.points).toHaveLength(1);
  expect(none.points[0]!.probabilityFeasible).toBeLessThan(0.9);
});

test.each<[string, (x: number) => number[]]>([
  ["one point dominates all", (x) => [-Math.abs(x - 0.3), -((x - 0.3) ** 2)]],
  ["metrics are the same", (x) => [x, x]],
  ["one metric is constant", (x) => [0.5, x]],
  ["all metrics are constant", () => [0.5, 0.25]],
  ["metrics differ by scale", (x) => [1e9 * x, -1e-9 * x]],
  ["one value is a catastrophe", (x) => [x === 0.5 ? -1e6 : x, 1 - x]],
])("it is asked and answered soundly where %s", (_, values) => {
  const study = told(two, [...line, 0.2, 0.2], values);
  for (let k = 0; k < 3; k++) {
    const { id, values: asked, origin } = study.ask();
    expect(origin).toBe("model");
    expect(asked["x0"]).toBeGreaterThanOrEqual(0);
    expect(asked["x0"]).toBeLessThanOrEqual(1);
    study.tell(id, { values: values(Number(asked["x0"])) });
  }
  const { points, hypervolume: volume, picks } = study.pareto()!;
  expect(new Set(points.map((point) => JSON.stringify(point.values))).size).toBe(points.length);
  expect(points.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.values(picks)));
  expect(Number.isFinite(volume) && volume >= 0).toBe(true);
});

test("a single trial is a front; a study without one has none; a study of one metric cannot have one", () => {
  const study = createStudy({ ...two, dimensions: floats(2, 0, 1), seed: 1 });
  expect(study.pareto()).toBeUndefined();
  study.tell(study.ask().id, { values: [0.3, 0.4] });
  expect(study.pareto()).toMatchObject({ points: [{ id: 0, probabilityNonDominated: 1 }], trials: 1 });
  expect(() => createStudy({ dimensions: floats(2, 0, 1), seed: 1 }).pareto()).toThrow(/two metrics or more/);
});

test("a study of a mean has a front too, which changes none of its proposals", () => {
  const [looked, untouched] = [0, 1].map(() =>
    createStudy({ dimensions: floats(2, 0, 1), seed: 2, metrics: ["a", "b"] }),
  );
  for (let k = 0; k < 9; k++) {
    for (const study of [looked!, untouched!]) {
      const { id, values } = study.ask();
      study.tell(id, { values: [Number(values["x0"]), 1 - Number(values["x0"]) ** 2 + Number(values["x1"])] });
    }
    expect(looked!.pareto()!.points.length).toBeGreaterThan(0);
  }
  expect(looked!.events).toEqual(untouched!.events);
});

test("more than four metrics are searched by one random trade-off after another, and have a front", () => {
  const metrics = ["a", "b", "c", "d", "e"];
  const peaks = [0.1, 0.3, 0.5, 0.7, 0.9];
  const spec: StudySpec = { dimensions: floats(2, 0, 1), seed: 4, metrics, objective: { kind: "pareto" } };
  const study = createStudy(spec);
  for (let k = 0; k < 16; k++) {
    const { id, values } = study.ask();
    const [x, y] = [Number(values["x0"]), Number(values["x1"])];
    study.tell(id, { values: peaks.map((peak) => 1 - (x - peak) ** 2 - (y - 0.6) ** 2) });
  }
  const asked = study.trials().filter(({ origin }) => origin === "model");
  // They agree on y and trade x off.
  expect(asked.filter(({ values }) => Math.abs(Number(values["x1"]) - 0.6) < 0.2).length).toBeGreaterThan(5);
  const xs = asked.map(({ values }) => Number(values["x0"]));
  expect(Math.max(...xs) - Math.min(...xs)).toBeGreaterThan(0.4);
  expect(study.pareto()!.points.length).toBeGreaterThan(3);
});

test("after a restart at any event a search for a front under a constraint goes on with the same bytes", () => {
  const problem = mergeGroups(3, 60, 3, [0, 0, 0], 1);
  const objective = { kind: "pareto", metrics: ["group1", "group3"], reference: [0.1, 0.1] } as const;
  const constraints = [{ metric: "group2", atLeast: 0.2 }];
  const spec: StudySpec = { ...trade(problem, 7), objective, constraints, initialTrials: 5 };
  const study = createStudy(spec);
  const restarts = fc.sample(fc.boolean(), { numRuns: 20, seed: 3 });
  let restarted = replay(spec, []);
  for (let k = 0; k < 14; k++) {
    if (restarts[k]) {
      restarted = replay(spec, JSON.parse(JSON.stringify(study.events)) as StudyEvent[]);
      restarted.pareto();
    }
    const asked = [study, restarted].map((each) => each.ask());
    expect(JSON.stringify(asked[1])).toBe(JSON.stringify(asked[0]));
    if (k % 3 === 2) continue;
    const { id, values } = asked[0]!;
    const outcome = problem.observe(coordinates(problem, values), evaluationStream(1, id));
    for (const each of [study, restarted]) each.tell(id, outcome);
  }
  expect(JSON.stringify(restarted.events)).toBe(JSON.stringify(study.events));
  expect(restarted.pareto()).toEqual(study.pareto());
  expect(
    Object.keys((study.events.findLast(({ type }) => type === "ask") as StudyEvent & { type: "ask" }).metrics!),
  ).toEqual(["group1", "group2", "group3"]);
});

test.each<[Partial<StudySpec>, RegExp]>([
  [{ metrics: ["a"] }, /needs two metrics or more/],
  [{ objective: { kind: "pareto", metrics: ["a", "c"] } }, /the objective names the metric "c"; there are a, b/],
  [{ objective: { kind: "pareto", metrics: ["a", "a"] } }, /all different; it has a, a/],
  [{ objective: { kind: "pareto", reference: [0.5] } }, /a finite number for each of a, b; it has \[0.5\]/],
])("a trade-off that makes no sense is refused: %j", (wrong, message) => {
  expect(() => createStudy({ ...two, dimensions: floats(1, 0, 1), seed: 1, ...wrong })).toThrow(message);
});
