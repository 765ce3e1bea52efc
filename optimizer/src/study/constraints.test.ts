// Scores under bounds on single metrics. Deterministic, so a failure is a regression rather than bad luck.

import { expect, test } from "vitest";
import { createStudy, type Study, type StudyEvent, type StudySpec } from "../index.ts";
import { replayedAsks } from "../testing/prefixes.ts";
import { evaluationStream, floats } from "../testing/problem.ts";

/** Two tasks that want different corners; the mean is best where the second has lost too much. */
const tasks = ([a = 0, b = 0]: readonly number[]): number[] => [
  0.9 - 0.8 * (a - 0.9) ** 2 - 0.5 * (b - 0.2) ** 2,
  0.8 - 0.5 * (a - 0.1) ** 2 - 0.1 * (b - 0.8) ** 2,
];
const spec: StudySpec = {
  dimensions: floats(2, 0, 1),
  seed: 3,
  metrics: ["first", "second"],
  objective: { kind: "mean" },
  constraints: [{ metric: "second", atLeast: 0.75 }],
};
const xOf = (values: Readonly<Record<string, unknown>>): number[] => [Number(values["x0"]), Number(values["x1"])];

function drive(study: Study, trials: number, deviation = 0): void {
  for (let k = 0; k < trials; k++) {
    const { id, values } = study.ask();
    const noise = evaluationStream(1, id);
    const told = tasks(xOf(values)).map((value) => value + deviation * noise.normal());
    study.tell(id, { values: told, ...(deviation > 0 && { standardErrors: told.map(() => deviation) }) });
  }
}

/** The highest mean over a fine grid, of all points or of those that keep the bound. */
function bestMean(keeps: (values: readonly number[]) => boolean): number {
  let best = 0;
  for (let i = 0; i <= 200; i++) {
    for (let j = 0; j <= 200; j++) {
      const values = tasks([i / 200, j / 200]);
      if (keeps(values)) best = Math.max(best, (values[0]! + values[1]!) / 2);
    }
  }
  return best;
}

test("the recommendation keeps the bound, is nearly the best that does, and proposals settle where it is kept", () => {
  const study = createStudy(spec);
  drive(study, 15);
  const { values, mean, probabilityFeasible } = study.recommend()!;
  const constrained = bestMean(([, second]) => second! >= 0.75);
  expect(bestMean(() => true)).toBeGreaterThan(constrained + 0.02);
  expect(tasks(xOf(values))[1]).toBeGreaterThanOrEqual(0.75);
  expect(probabilityFeasible).toBeGreaterThanOrEqual(0.9);
  expect(mean).toBeGreaterThan(constrained - 0.001);
  const last = study.events.filter((event) => event.type === "ask").slice(-8);
  expect(last.every(({ origin }) => origin === "model")).toBe(true);
  expect(last.filter((event) => tasks(xOf(event.values))[1]! >= 0.7499).length).toBeGreaterThanOrEqual(6);
});

test("under noise the recommendation keeps the bound with the probability it claims to have", () => {
  for (const seed of [1, 2, 3]) {
    const study = createStudy({ ...spec, seed });
    drive(study, 24, 0.02);
    const { values, probabilityFeasible } = study.recommend()!;
    expect(probabilityFeasible).toBeGreaterThanOrEqual(0.9);
    expect(tasks(xOf(values))[1]).toBeGreaterThan(0.74);
  }
});

test("while nothing keeps the bound the search looks for the first that does, also with trials in flight", () => {
  // Kept only within 0.06 of (0.83, 0.31), which the start misses.
  const bump = ([a = 0, b = 0]: readonly number[]): number => Math.exp(-30 * ((a - 0.83) ** 2 + (b - 0.31) ** 2));
  const study = createStudy({ ...spec, constraints: [{ metric: "second", atLeast: 0.9 }] });
  const pending: ReturnType<Study["ask"]>[] = [];
  for (let k = 0; k < 20; k++) {
    pending.push(study.ask());
    if (pending.length < 3) continue;
    const { id, values } = pending.shift()!;
    study.tell(id, { values: [xOf(values)[0]!, bump(xOf(values))] });
  }
  expect(
    study
      .trials()
      .slice(0, 6)
      .every(({ values }) => bump(xOf(values)) < 0.9),
  ).toBe(true);
  const found = study.recommend()!;
  expect(bump(xOf(found.values))).toBeGreaterThanOrEqual(0.9);
  expect(found.probabilityFeasible).toBeGreaterThanOrEqual(0.9);
});

test("if no point keeps the bound the recommendation is the likeliest to, and says that it does not", () => {
  const study = createStudy({ ...spec, constraints: [{ metric: "second", atLeast: 2 }] });
  drive(study, 12);
  const { id, probabilityFeasible } = study.recommend()!;
  expect(probabilityFeasible).toBeLessThan(0.01);
  const seconds = study.trials().map(({ outcome }) => outcome!.values[1]!);
  expect(seconds[id]).toBeGreaterThan(Math.max(...seconds) - 0.02);
});

test("a bound far below everything changes nothing of what is feasible, even among catastrophic points", () => {
  const study = createStudy({ ...spec, constraints: [{ metric: "second", atLeast: 0.2 }] });
  for (let k = 0; k < 14; k++) {
    const { id, values } = study.ask();
    const [first, second] = tasks(xOf(values));
    // All but one are within 0.001 of each other, so that the one is an outlier by any measure.
    study.tell(id, { values: k === 4 ? [first!, -1e6] : [first!, 0.7 + second! / 1000] });
  }
  expect(study.recommend()!.id).not.toBe(4);
  expect(study.recommend()!.probabilityFeasible).toBeGreaterThan(0.9);
});

test("every prefix of a constrained search proposes what the search went on to propose", () => {
  const study = createStudy(spec);
  drive(study, 12, 0.01);
  const asks = replayedAsks(study);
  expect(asks.length).toBeGreaterThanOrEqual(12);
  for (const { asked, replayed } of asks) expect(replayed).toBe(asked);
  expect(Object.keys((study.events.at(-2) as StudyEvent & { type: "ask" }).metrics!)).toEqual(["second"]);
});

test("of several bounds on a metric the highest counts; bounds that make no sense are refused", () => {
  const twice = [0.5, 0.75].map((atLeast) => ({ metric: "second", atLeast }));
  const [one, both] = [createStudy(spec), createStudy({ ...spec, constraints: twice })];
  for (const study of [one, both]) drive(study, 8);
  expect(both.recommend()).toEqual(one.recommend());
  expect(() => createStudy({ ...spec, constraints: [{ metric: "third", atLeast: 0 }] })).toThrow(
    /a constraint names the metric "third"; there are first, second/,
  );
  expect(() => createStudy({ ...spec, constraints: [{ metric: "first", atLeast: Number.NaN }] })).toThrow(
    /the constraint on first needs a finite number/,
  );
});
