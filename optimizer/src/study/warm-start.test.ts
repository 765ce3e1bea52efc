import { expect, test } from "vitest";
import { createStudy, type PastTrial, pastTrials, type StudySpec, warmStart } from "../index.ts";

const spec: StudySpec = {
  dimensions: ["a", "b"].map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const),
  seed: 2,
};
const past = (values: Record<string, unknown>, ...scores: number[]): PastTrial => ({
  values,
  result: { values: scores },
  source: "old",
});

test("an earlier study's settled trials are carried over, its own observations under their own source", () => {
  const earlier = createStudy(spec);
  earlier.addObservation({ a: 0.1, b: 0.2 }, { values: [0.5] }, "by hand");
  const told = earlier.ask();
  earlier.tell(told.id, { values: [0.7], standardErrors: [0.03], items: 40 });
  earlier.fail(earlier.ask().id, "diverged");
  earlier.release(earlier.ask().id);
  earlier.ask();
  const study = createStudy({ ...spec, seed: 3 });
  const { added, dropped } = warmStart(study, pastTrials(earlier, "study 1"), { standardError: 0.04 });
  expect({ added, dropped }).toEqual({ added: [0, 1, 2], dropped: [] });
  expect(study.trials()).toMatchObject([
    { values: { a: 0.1, b: 0.2 }, outcome: { values: [0.5], standardErrors: [0.04] }, source: "by hand" },
    { values: told.values, outcome: { values: [0.7], standardErrors: [0.05], items: 40 }, source: "study 1, trial 1" },
    { state: "failed", reason: "diverged", source: "study 1, trial 2" },
  ]);
});

test("new dimensions are filled, others renamed or left aside, and what is outside the box is dropped and named", () => {
  const study = createStudy({
    ...spec,
    dimensions: [...spec.dimensions, { name: "c", kind: "float", low: 0, high: 1 }],
  });
  const trials = [
    past({ alpha: 0.5, b: 0.5, notes: "x" }, 1),
    past({ alpha: 1.5, b: 0.5 }, 2),
    past({ alpha: 0.5 }, 3),
    past({ alpha: 0.5, b: "0.5" }, 4),
    past({ alpha: 0.5, b: null }, 4),
    past({ alpha: 0.5, b: 0.25, other: 1 }, 5),
    past({ alpha: 0.5, b: 0.25, c: 0.75 }, 6),
  ];
  const { added, dropped } = warmStart(study, trials, { rename: { alpha: "a", notes: null }, fill: { c: 0 } });
  expect(added).toEqual([0, 1]);
  expect(study.trials().map(({ values }) => values)).toEqual([
    { a: 0.5, b: 0.5, c: 0 },
    { a: 0.5, b: 0.25, c: 0.75 },
  ]);
  expect(dropped.map(({ reason }) => reason)).toEqual([
    expect.stringMatching(/value 1.5 of dimension "a" is outside/),
    expect.stringMatching(/no value for dimension "b"/),
    expect.stringMatching(/value "?0.5"? of dimension "b"/),
    expect.stringMatching(/value of "b" is neither a number nor a string/),
    expect.stringMatching(/unknown dimension "other"/),
  ]);
});

test("metrics are found by name", () => {
  const earlier = createStudy({ ...spec, metrics: ["mnli", "qqp", "sst2"] });
  earlier.tell(earlier.ask().id, { values: [1, 2, 3], standardErrors: [0.1, 0.2, 0.3] });
  const [trial] = pastTrials(earlier, "study 1", ["sst2", "mnli"]);
  expect(trial!.result).toEqual({ values: [3, 1], standardErrors: [0.3, 0.1] });
  expect(() => pastTrials(earlier, "study 1", ["cola"])).toThrow(/study 1 did not measure "cola" but mnli, qqp, sst2/);
});

test("what cannot be meant is refused before anything is added", () => {
  const study = createStudy(spec);
  const good = past({ a: 0.5, b: 0.5 }, 1);
  expect(() => warmStart(study, [good, past({ a: 0.5, b: 0.5 }, 1, 2)])).toThrow(
    /old has 2 values, the study 1 metrics: score/,
  );
  expect(() => warmStart(study, [good], { fill: { d: 0 } })).toThrow(/"d" is not a dimension of the study: a, b/);
  expect(() => warmStart(study, [good], { rename: { a: "d" } })).toThrow(/"d" is not a dimension/);
  expect(() => warmStart(study, [good], { standardError: Number.NaN })).toThrow(/finite number >= 0/);
  expect(study.events).toEqual([]);
});
