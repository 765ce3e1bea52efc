// Inputs chosen to break the search: it must answer, inside the box, without repeating itself.

import { expect, test } from "vitest";
import { createStudy, type Dimension, type Outcome, type Study, type StudySpec, type Values } from "../index.ts";
import { createSpace } from "../space/space.ts";
import { floats } from "../testing/problems.ts";

function expectSound(study: Study): void {
  const space = createSpace(study.spec.dimensions);
  const asked = study.events.filter((event) => event.type === "ask").map((event) => event.values);
  for (const [index, values] of asked.entries()) {
    space.check(values);
    for (const other of asked.slice(0, index)) {
      const [unit, another] = [space.toUnit(values), space.toUnit(other)];
      expect(unit.some((u, k) => Math.abs(u - another[k]!) > 1e-6)).toBe(true);
    }
  }
}

function drive(spec: StudySpec, trials: number, outcome: (k: number, first: number) => Outcome): Study {
  const study = createStudy(spec);
  for (let k = 0; k < trials; k++) {
    const { id, values } = study.ask();
    study.tell(id, outcome(k, Number(Object.values(values)[0])));
  }
  return study;
}

const cube: StudySpec = { dimensions: floats(4, 0, 1), seed: 3 };

test.each<[string, (k: number, first: number) => Outcome]>([
  ["constant", () => ({ values: [0.5] })],
  ["zero", () => ({ values: [0] })],
  ["constant with noise known", () => ({ values: [0.5], standardErrors: [0.01] })],
  ["different only by rounding", (k) => ({ values: [0.5 + k * 1e-17] })],
  ["huge", (k) => ({ values: [(k % 2 ? -1 : 1) * 1.7e308] })],
  ["tiny", (k) => ({ values: [k * 5e-324] })],
  ["two-valued", (_, first) => ({ values: [first > 0.5 ? 1 : 0] })],
  ["mostly failures", (k, first) => ({ values: [k % 4 ? Number.NaN : first] })],
  ["one catastrophic outlier", (k, first) => ({ values: [k === 6 ? -1e6 : -((first - 0.3) ** 2)] })],
  ["standard errors over six decades", (k, first) => ({ values: [first], standardErrors: [10 ** (-6 + (k % 7))] })],
  ["noise-free and smooth, so that steps shrink to nothing", (_, first) => ({ values: [-((first - 0.37) ** 2)] })],
])("scores that are %s", (_, outcome) => {
  const study = drive(cube, 22, outcome);
  expectSound(study);
  const { probabilityBest } = study.recommend()!;
  expect(probabilityBest >= 0 && probabilityBest <= 1).toBe(true);
  expect(Number.isFinite(study.recommend()!.mean)).toBe(true);
});

test("the outlier does not hide where the optimum is", () => {
  const study = drive(cube, 22, (k, first) => ({ values: [k === 6 ? -1e6 : -((first - 0.3) ** 2)] }));
  expect(Math.abs(Number(study.recommend()!.values["x0"]) - 0.3)).toBeLessThan(0.02);
});

test("64 proposals before the first score are 64 different points, and the model takes over afterwards", () => {
  const study = createStudy(cube);
  for (let k = 0; k < 64; k++) study.ask();
  for (let id = 0; id < 10; id++) study.tell(id, { values: [Math.sin(id)] });
  for (let k = 0; k < 3; k++) expect(study.ask().origin).toBe("model");
  expectSound(study);
});

test("sixty dimensions", () => {
  const study = drive({ dimensions: floats(60, -1, 1), seed: 4 }, 26, (_, first) => ({ values: [first] }));
  expectSound(study);
  expect(study.events.at(-2)).toMatchObject({ type: "ask", origin: "model" });
});

test("failures repel: a point that keeps failing is not tried over and over", () => {
  const study = createStudy({ ...cube, dimensions: floats(1, 0, 1) });
  let failures = 0;
  for (let k = 0; k < 30; k++) {
    const { id, values } = study.ask();
    const x = Number(values["x0"]);
    if (x > 0.6) study.fail(id, "diverged");
    else study.tell(id, { values: [x] });
    if (k >= 15 && x > 0.62) failures++;
  }
  expectSound(study);
  expect(failures).toBeLessThan(10);
});

test("a space of few integers is covered without repeats, then repeats rather than stalls", () => {
  const dimensions: Dimension[] = [
    { name: "a", kind: "integer", low: 0, high: 3 },
    { name: "b", kind: "integer", low: -1, high: 1 },
  ];
  const study = createStudy({ dimensions, seed: 1 });
  const score = (values: Values): number => -((Number(values["a"]) - 2) ** 2) - Number(values["b"]) ** 2;
  for (let k = 0; k < 12; k++) {
    const { id, values } = study.ask();
    study.tell(id, { values: [score(values)] });
  }
  expectSound(study);
  expect(study.recommend()!.values).toEqual({ a: 2, b: 0 });
  for (let k = 0; k < 3; k++) study.tell(study.ask().id, { values: [0] });
  const unanswered = createStudy({ dimensions, seed: 1 });
  for (let k = 0; k < 15; k++) unanswered.ask();
  expect(unanswered.events).toHaveLength(15);
});

test("one point told thirty times with thirty scores does not stop the search", () => {
  const study = createStudy({ ...cube, replicates: true });
  for (let k = 0; k < 30; k++) study.addObservation({ x0: 0.5, x1: 0.5, x2: 0.5, x3: 0.5 }, { values: [Math.sin(k)] });
  for (let k = 0; k < 10; k++) {
    const { id, values } = study.ask();
    for (const value of Object.values(values)) expect(Number(value) >= 0 && Number(value) <= 1).toBe(true);
    study.tell(id, { values: [k / 10] });
  }
  expect(Number.isFinite(study.recommend()!.mean)).toBe(true);
});

test("a score of +1e6 among ones below 1", () => {
  expectSound(drive(cube, 22, (k, first) => ({ values: [k === 6 ? 1e6 : first] })));
});

test("a lost trial's late score counts, and its point is not proposed again", () => {
  const study = createStudy(cube);
  const lost = study.ask();
  study.release(lost.id);
  for (let k = 0; k < 14; k++) study.tell(study.ask().id, { values: [Math.cos(k)] });
  study.tell(lost.id, { values: [2] });
  expect(study.recommend()!.trials).toBe(15);
  for (let k = 0; k < 3; k++) study.tell(study.ask().id, { values: [k] });
  const asked = study.trials().map(({ values }) => JSON.stringify(values));
  expect(asked.slice(-3)).not.toContain(JSON.stringify(lost.values));
});

test("two hundred dimensions", () => {
  const study = drive({ dimensions: floats(200, 0, 1), seed: 4, initialTrials: 8 }, 11, (_, first) => ({
    values: [first],
  }));
  expectSound(study);
  expect(study.events.at(-2)).toMatchObject({ type: "ask", origin: "model" });
});
