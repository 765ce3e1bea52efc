import fc from "fast-check";
import { expect, test } from "vitest";
import { createStudy, formatLog, openLog, type Study, type StudySpec, type Values } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";

const spec: StudySpec = {
  dimensions: [
    { name: "a", kind: "float", low: 0, high: 1 },
    { name: "b", kind: "float", low: 0.01, high: 10, scale: "log" },
    { name: "k", kind: "integer", low: 1, high: 5 },
    { name: "m", kind: "categorical", choices: ["x", "y", "z"] },
  ],
  metrics: ["one", "two"],
  seed: 5,
  initialTrials: 4,
};

const pointAt = (pick: number): Values => ({
  a: pick,
  b: 0.01 + 9 * (1 - pick),
  k: 1 + Math.floor(5 * pick),
  m: ["x", "y", "z"][Math.floor(3 * pick)]!,
});

/** What the caller does next, as numbers drawn by fast-check: which action, and which trial it is about. */
type Step = readonly [action: number, pick: number];

function act(study: Study, [action, pick]: Step): void {
  const trials = study.trials();
  const chosen = trials[Math.floor(pick * trials.length)];
  if (action < 6 || chosen === undefined) study.ask();
  else if (action < 11) {
    const { id, values } = chosen;
    const noise = createStream(1, id, purposes.fantasies);
    const value = Number(values["a"]) - 0.1 * Number(values["k"]) + 0.05 * noise.normal();
    study.tell(id, { values: [value, noise.uniform()], standardErrors: [0.05, 0.2], items: 40, cost: id });
  } else if (action === 11) study.fail(chosen.id, "diverged");
  else if (action === 12) study.release(chosen.id);
  else if (action === 13) study.enqueue(pointAt(pick));
  else if (action === 14) study.addObservation(pointAt(pick), { values: [pick, 0.5] }, "elsewhere");
  else if (action === 15) study.addObservation(pointAt(pick), { reason: "out of memory" });
  else look(study, pick);
}

/** Asks for one of the answers. */
function look(study: Study, pick: number): void {
  if (study.recommend() === undefined) return;
  const answers = [
    () => study.leaders(3),
    () => study.pareto(),
    () => study.improvementOver([pointAt(pick)]),
    () => study.predict([pointAt(pick)]),
    () => study.slice("a", { count: 3 }),
    () => study.importance(),
    () => study.calibration(),
    () => study.shouldStop(),
  ];
  answers[Math.floor(pick * answers.length)]!();
}

const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 17 }), fc.double({ min: 0, max: 0.999, noNaN: true })), {
  minLength: 15,
  maxLength: 40,
});

test.each<[Partial<StudySpec>, number]>([
  [{ strategy: "bayesian" }, 4],
  [{ strategy: "bayesian", replicates: true }, 2],
  [{ strategy: "bayesian", objective: { kind: "worst" }, constraints: [{ metric: "two", atLeast: 0.3 }] }, 2],
  [{ strategy: "random" }, 20],
  [{ strategy: "sobol" }, 20],
  [{ strategy: "grid" }, 20],
  [{ strategy: "cmaes" }, 20],
])("from every event of any history a restart proposes the same bytes, whatever was looked at: %j", (own, numRuns) => {
  fc.assert(
    fc.property(steps, (script) => {
      const study = createStudy({ ...spec, ...own });
      for (const step of script) act(study, step);
      const lines = formatLog(study).split(/(?<=\n)/);
      for (const [index, event] of study.events.entries()) {
        if (event.type !== "ask") continue;
        // Line 0 is the spec: this is the log just before the event.
        const restarted = openLog(lines.slice(0, index + 1).join("")).study;
        restarted.ask();
        expect(formatLog(restarted, index + 1)).toBe(lines[index + 1]);
      }
      const whole = openLog(lines.join("")).study;
      expect(whole.ask()).toEqual(study.ask());
      expect(whole.recommend()).toEqual(study.recommend());
    }),
    { numRuns, seed: 10 },
  );
});

test("looking at the study does not change what it proposes", () => {
  const [looked, untouched] = [createStudy(spec), createStudy(spec)];
  for (let k = 0; k < 12; k++) {
    for (const study of [looked, untouched]) study.tell(study.ask().id, { values: [Math.cos(k), k / 9] });
    for (let answer = 0; answer < 8; answer++) look(looked, answer / 8);
  }
  expect(looked.events).toEqual(untouched.events);
});

test("the order in which finished trials are told does not matter", () => {
  const told = (order: readonly number[]): string => {
    const study = createStudy(spec);
    for (let k = 0; k < 8; k++) study.ask();
    for (const id of order) study.tell(id, { values: [Math.sin(7 * id), 0] });
    return JSON.stringify(study.ask());
  };
  expect(told([7, 3, 0, 5, 6, 1, 2, 4])).toBe(told([0, 1, 2, 3, 4, 5, 6, 7]));
});

test("different seeds search differently", () => {
  const last = (seed: number): unknown => {
    const study = createStudy({ ...spec, seed });
    for (let k = 0; k < 7; k++) study.tell(study.ask().id, { values: [k % 3, 0] });
    return study.ask().values;
  };
  expect(last(1)).not.toEqual(last(2));
});
