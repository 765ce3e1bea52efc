import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createStudy,
  type Dimension,
  largestGridLevels,
  replay,
  type Study,
  type StudyEvent,
  type StudySpec,
} from "../index.ts";
import { createSpace } from "../space/space.ts";
import { floats } from "../testing/problem.ts";

const mixed: readonly Dimension[] = [
  { name: "weight", kind: "float", low: -1, high: 1 },
  { name: "rate", kind: "float", low: 1e-4, high: 1, scale: "log" },
  { name: "rank", kind: "integer", low: 1, high: 9 },
  { name: "method", kind: "categorical", choices: ["ties", "dare"] },
  { name: "mix", kind: "simplex", members: ["a", "b", "c"] },
];
const point = { weight: 0.5, rate: 0.1, rank: 2, method: "dare", a: 0, b: 1, c: 0 };
const modelFree = ["random", "sobol", "grid", "cmaes"] as const;

const stored = (events: readonly StudyEvent[]): StudyEvent[] => JSON.parse(JSON.stringify(events)) as StudyEvent[];

const scoreOf = (values: Readonly<Record<string, number | string>>): number =>
  -((Number(values["weight"]) - 0.3) ** 2) - Number(values["a"]) + (values["method"] === "ties" ? 0.5 : 0);

/** What the caller does next: which action, and which trial it is about. */
function act(study: Study, [action, pick]: readonly [number, number]): void {
  const asked = study.events.filter((event) => event.type === "ask");
  const chosen = asked[Math.floor(pick * asked.length)];
  if (action < 5 || chosen === undefined) study.ask();
  else if (action < 10) study.tell(chosen.id, { values: [scoreOf(chosen.values)] });
  else if (action === 10) study.fail(chosen.id, "lost");
  else if (action === 11) study.release(chosen.id);
  else study.enqueue({ ...point, weight: pick });
}

const scripts = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.double({ min: 0, max: 0.999, noNaN: true })), {
  minLength: 30,
  maxLength: 120,
});

describe.each(modelFree)("strategy %s", (strategy) => {
  test("goes on byte-identically after a restart at any event, whatever happened, and stays in the space", () => {
    const spec: StudySpec = { dimensions: mixed, seed: 9, strategy };
    const space = createSpace(mixed);
    fc.assert(
      fc.property(scripts, fc.double({ min: 0, max: 1, noNaN: true }), (script, cut) => {
        const study = createStudy(spec);
        const restartAt = Math.floor(cut * script.length);
        let restarted: Study | undefined;
        for (const [index, step] of script.entries()) {
          if (index === restartAt) restarted = replay(spec, stored(study.events));
          act(study, step);
          if (restarted !== undefined) act(restarted, step);
        }
        restarted ??= replay(spec, stored(study.events));
        expect(JSON.stringify(restarted.ask())).toBe(JSON.stringify(study.ask()));
        expect(JSON.stringify(restarted.events)).toBe(JSON.stringify(study.events));
        for (const { values } of study.trials()) space.check(values);
      }),
      { numRuns: 25, seed: 4 },
    );
  });

  test("asks what is enqueued first, repeats no point, and can be asked far ahead", () => {
    const study = createStudy({ dimensions: mixed, seed: 1, strategy });
    study.enqueue(point);
    expect(study.ask()).toMatchObject({ origin: "enqueued", values: point });
    for (let k = 0; k < 63; k++) expect(study.ask().origin).toBe(strategy);
    expect(new Set(study.trials().map(({ values }) => JSON.stringify(values))).size).toBe(64);
  });

  test("covers a space of few points, then repeats rather than stalls", () => {
    const dimensions: Dimension[] = [
      { name: "a", kind: "integer", low: 0, high: 3 },
      { name: "b", kind: "categorical", choices: ["x", "y", "z"] },
    ];
    const study = createStudy({ dimensions, seed: 2, strategy });
    for (let k = 0; k < 40; k++) study.tell(study.ask().id, { values: [k % 5] });
    const first = study.trials().slice(0, 12);
    // Draws about a place may miss a point that is far from it.
    const fewest = strategy === "cmaes" ? 10 : 12;
    expect(new Set(first.map(({ values }) => JSON.stringify(values))).size).toBeGreaterThanOrEqual(fewest);
  });

  test("is answered from the model like any other: by the posterior mean, with an interval", () => {
    const study = createStudy({ dimensions: floats(2, 0, 1), seed: 3, strategy });
    for (let k = 0; k < 16; k++) {
      const { id, values } = study.ask();
      study.tell(id, { values: [-((Number(values["x0"]) - 0.4) ** 2)] });
    }
    const best = study.recommend()!;
    expect(best.probabilityBest).toBeGreaterThan(0);
    expect(study.importance()["x0"]!.share).toBeGreaterThan(0.9);
  });
});

test("sobol is the balanced sequence: every block of 16 has one point in each sixteenth of every dimension", () => {
  const study = createStudy({ dimensions: floats(3, 0, 1), seed: 5, strategy: "sobol" });
  const points = Array.from({ length: 16 }, () => study.ask().values);
  for (const name of ["x0", "x1", "x2"]) {
    expect(new Set(points.map((values) => Math.floor(16 * Number(values[name]))))).toHaveLength(16);
  }
});

const gridOf = (dimensions: readonly Dimension[], trials: number, gridLevels?: number): string[] => {
  const study = createStudy({ dimensions, seed: 0, strategy: "grid", ...(gridLevels && { gridLevels }) });
  return Array.from({ length: trials }, () => Object.values(study.ask().values).join(" "));
};

test("a grid has every combination of its levels, and is followed by one of twice the intervals", () => {
  const unitSquare = floats(2, 0, 1);
  const nine = ["0", "0.5", "1"].flatMap((a) => ["0", "0.5", "1"].map((b) => `${a} ${b}`));
  const asked = gridOf(unitSquare, 25);
  expect(asked[0]).toBe("0.5 0.5");
  expect(asked.slice(0, 9).toSorted()).toEqual(nine.toSorted());
  const quarters = [0, 0.25, 0.5, 0.75, 1];
  expect(asked.toSorted()).toEqual(quarters.flatMap((a) => quarters.map((b) => `${a} ${b}`)).toSorted());
  const rest: Dimension[] = [
    { name: "method", kind: "categorical", choices: ["x", "y"] },
    { name: "rank", kind: "integer", low: 1, high: 2 },
    { name: "mix", kind: "simplex", members: ["a", "b"] },
  ];
  expect(gridOf(rest, 12).toSorted()).toEqual(
    ["x", "y"].flatMap((m) => [1, 2].flatMap((r) => ["0 1", "0.5 0.5", "1 0"].map((w) => `${m} ${r} ${w}`))).toSorted(),
  );
});

test("every beginning of a grid is spread over all levels of every dimension", () => {
  for (const d of [2, 3, 4]) {
    const asked = gridOf(floats(d, 0, 1), 20, 5).map((one) => one.split(" "));
    for (let k = 0; k < d; k++) {
      const counts = [0, 0.25, 0.5, 0.75, 1].map(
        (level) => asked.filter((values) => Number(values[k]) === level).length,
      );
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    }
  }
});

test("the largest grid that fits a number of trials is found, and one of 200 dimensions can be begun", () => {
  expect(largestGridLevels(floats(2, 0, 1), 30)).toBe(5);
  expect(largestGridLevels(floats(2, 0, 1), 36)).toBe(6);
  expect(largestGridLevels(floats(8, 0, 1), 30)).toBe(2);
  expect(largestGridLevels([{ name: "mix", kind: "simplex", members: ["a", "b", "c"] }], 15)).toBe(5);
  expect(largestGridLevels([{ name: "a", kind: "categorical", choices: ["x", "y"] }], 1000)).toBe(2);
  expect(new Set(gridOf(floats(200, 0, 1), 10)).size).toBe(10);
});

test("CMA-ES finds an optimum with one trial at a time, with eight in flight, and through failures", () => {
  const optimum = [0.2, 0.9, 0, 0.6];
  for (const inFlight of [1, 8]) {
    const study = createStudy({ dimensions: floats(4, 0, 1), seed: 6, strategy: "cmaes" });
    const pending: { id: number; x: number[] }[] = [];
    let best = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < 250; k++) {
      while (pending.length < inFlight) {
        const { id, values } = study.ask();
        pending.push({ id, x: Object.values(values).map(Number) });
      }
      // Eight workers of different speeds.
      const { id, x } = pending.splice((k * 5) % pending.length, 1)[0]!;
      const value = -x.reduce((sum, u, i) => sum + (u - optimum[i]!) ** 2, 0);
      if (x[3]! > 0.85) study.fail(id, "diverged");
      else study.tell(id, { values: [value] });
      best = Math.max(best, value);
    }
    expect(best).toBeGreaterThan(-1e-3);
  }
});

test("CMA-ES starts at the best that is known, and takes in what was pending then", () => {
  const study = createStudy({ dimensions: floats(3, 0, 1), seed: 7, strategy: "cmaes" });
  study.addObservation({ x0: 0.9, x1: 0.1, x2: 0.8 }, { values: [2] });
  study.addObservation({ x0: 0.1, x1: 0.1, x2: 0.1 }, { values: [1] });
  study.enqueue({ x0: 0.95, x1: 0.05, x2: 0.9 });
  const enqueued = study.ask();
  study.tell(study.ask().id, { values: [0] });
  expect(study.events.at(-2)).toMatchObject({ cma: { start: { mean: [0.9, 0.1, 0.8], pending: [2] } } });
  study.tell(enqueued.id, { values: [9] });
  for (let k = 0; k < 7; k++) study.tell(study.ask().id, { values: [k / 10] });
  const updates = study.events.flatMap((event) =>
    event.type === "ask" && event.cma?.ranked ? [event.cma.ranked] : [],
  );
  expect(updates).toHaveLength(1);
  expect(updates[0]![0]).toBe(enqueued.id);
});

test("CMA-ES goes through stages, from what was best in the one before, and asks the same in whatever order it is told", () => {
  const dimensions = floats(4, 0, 1);
  const ties = { x0: "low", x1: "low", x2: "high", x3: "high" };
  const spec: StudySpec = { dimensions, seed: 3, strategy: "cmaes", stages: [{ name: "pairs", trials: 24, ties }] };
  const run = (isReversed: boolean): Study => {
    const study = createStudy(spec);
    for (let batch = 0; batch < 12; batch++) {
      const asked = Array.from({ length: 4 }, () => study.ask());
      for (const { id, values } of isReversed ? asked.toReversed() : asked) {
        study.tell(id, {
          values: [-Object.values(values).reduce<number>((sum, x) => sum + (Number(x) - 0.3) ** 2, 0)],
        });
      }
    }
    return study;
  };
  const asks = (study: Study): StudyEvent[] => study.events.filter((event) => event.type === "ask");
  const study = run(false);
  expect(JSON.stringify(asks(run(true)))).toBe(JSON.stringify(asks(study)));
  expect(JSON.stringify(replay(spec, stored(study.events)).ask())).toBe(JSON.stringify(study.ask()));
  const best = study
    .trials()
    .slice(0, 24)
    .reduce((a, b) => (b.score!.value > a.score!.value ? b : a));
  expect(asks(study)[24]).toMatchObject({ cma: { start: { mean: Object.values(best.values) } } });
});

test("CMA-ES begins anew elsewhere, with twice the population, when it has converged or the scores no longer differ", () => {
  const populations = (score: (x: number) => number, trials: number): number[] => {
    const study = createStudy({ dimensions: floats(1, 0, 1), seed: 8, strategy: "cmaes" });
    for (let k = 0; k < trials; k++) {
      const { id, values } = study.ask();
      study.tell(id, { values: [score(Number(values["x0"]))] });
    }
    return study.events.flatMap((event) =>
      event.type === "ask" && event.cma?.start ? [event.cma.start.population] : [],
    );
  };
  expect(populations((x) => -Math.abs(x - 0.3), 400).slice(0, 2)).toEqual([4, 8]);
  expect(populations(() => 0.5, 30)).toEqual([4, 8, 16, 32]);
});

test("a strategy that there is not, an option of another and a record that fits no trial are refused", () => {
  const dimensions = floats(2, 0, 1);
  const bad =
    (spec: object): (() => unknown) =>
    () =>
      createStudy({ dimensions, seed: 1, ...spec } as StudySpec);
  expect(bad({ strategy: "tpe" })).toThrow(/strategy must be one of bayesian, random, sobol, grid, cmaes, not "tpe"/);
  expect(bad({ gridLevels: 3 })).toThrow(/gridLevels says nothing to strategy "bayesian"/);
  expect(bad({ strategy: "grid", gridLevels: 1 })).toThrow(/gridLevels must be a whole number >= 2, not 1/);
  const spec: StudySpec = { dimensions, seed: 1, strategy: "cmaes" };
  const study = createStudy(spec);
  study.ask();
  const [asked] = stored(study.events) as [StudyEvent & { type: "ask" }];
  expect(() => replay(spec, [{ ...asked, cma: { ...asked.cma!, point: [1] } }])).toThrow(/1 coordinates, expected 2/);
  expect(() => replay(spec, [{ ...asked, cma: { ...asked.cma!, ranked: [4] } }])).toThrow(
    /records trial 4, which is not/,
  );
});
