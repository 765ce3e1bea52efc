import fc from "fast-check";
import { expect, test } from "vitest";
import { createStudy, replay, type Study, type StudyEvent, type StudySpec } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { coordinates, mergeLike } from "../testing/problems.ts";

const problem = mergeLike(3, 200);
const spec: StudySpec = { dimensions: problem.dimensions, seed: 5, initialTrials: 5 };

/** The log as it comes back from a journal. */
function stored(events: readonly StudyEvent[]): StudyEvent[] {
  return JSON.parse(JSON.stringify(events)) as StudyEvent[];
}

/** What the caller does next, as numbers drawn by fast-check: which action, and which trial it is about. */
type Step = readonly [action: number, pick: number];

function act(study: Study, [action, pick]: Step): void {
  const asked = study.events.filter((event) => event.type === "ask");
  const chosen = asked[Math.floor(pick * asked.length)];
  if (action < 5 || chosen === undefined) study.ask();
  else if (action < 10) {
    const noise = createStream(1, chosen.id, purposes.fantasies);
    study.tell(chosen.id, problem.observe(coordinates(problem, chosen.values), noise));
  } else if (action === 10) study.fail(chosen.id, "lost");
  else if (action === 11) study.release(chosen.id);
  else if (action === 12) study.enqueue({ x0: pick, x1: pick / 2, x2: 1 - pick });
  else if (action === 13) study.addObservation({ x0: pick, x1: 1 - pick, x2: pick }, { values: [pick / 2] });
  else study.recommend();
}

const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 14 }), fc.double({ min: 0, max: 0.999, noNaN: true })), {
  minLength: 20,
  maxLength: 50,
});

test("after a restart at any event the next proposal is byte-identical, whatever happened before", () => {
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (script, cut) => {
      const study = createStudy(spec);
      const restartAt = Math.floor(cut * script.length);
      let restarted: Study | undefined;
      for (const [index, step] of script.entries()) {
        if (index === restartAt) restarted = replay(spec, stored(study.events));
        act(study, step);
        if (restarted !== undefined) act(restarted, step);
      }
      restarted ??= replay(spec, stored(study.events));
      expect(JSON.stringify(restarted.events)).toBe(JSON.stringify(study.events));
      expect(JSON.stringify(restarted.ask())).toBe(JSON.stringify(study.ask()));
      expect(restarted.recommend()).toEqual(study.recommend());
    }),
    { numRuns: 12, seed: 10 },
  );
});

test("every prefix of a search proposes what the search went on to propose", () => {
  const study = createStudy(spec);
  const open: number[] = [];
  for (let k = 0; k < 24; k++) {
    open.push(study.ask().id);
    if (k < 3) continue;
    const id = open.shift()!;
    const { values } = study.events.filter((event) => event.type === "ask")[id]!;
    study.tell(id, problem.observe(coordinates(problem, values), createStream(2, id, purposes.fantasies)));
  }
  for (const [index, event] of study.events.entries()) {
    if (event.type !== "ask") continue;
    const prefix = replay(spec, stored(study.events.slice(0, index)));
    prefix.ask();
    expect(JSON.stringify(prefix.events.at(-1))).toBe(JSON.stringify(event));
  }
});

test("looking at the study does not change what it proposes", () => {
  const [looked, untouched] = [createStudy(spec), createStudy(spec)];
  for (let k = 0; k < 12; k++) {
    for (const study of [looked, untouched]) study.tell(study.ask().id, { values: [Math.cos(k)] });
    looked.recommend();
    looked.importance();
    looked.predict([{ x0: 0.1, x1: 0.2, x2: 0.3 }]);
  }
  expect(looked.events).toEqual(untouched.events);
});

test("the order in which finished trials are told does not matter", () => {
  const told = (order: readonly number[]): string => {
    const study = createStudy(spec);
    for (let k = 0; k < 8; k++) study.ask();
    for (const id of order) study.tell(id, { values: [Math.sin(7 * id)] });
    return JSON.stringify(study.ask());
  };
  expect(told([7, 3, 0, 5, 6, 1, 2, 4])).toBe(told([0, 1, 2, 3, 4, 5, 6, 7]));
});

test("different seeds search differently", () => {
  const last = (seed: number): unknown => {
    const study = createStudy({ ...spec, seed });
    for (let k = 0; k < 7; k++) study.tell(study.ask().id, { values: [k % 3] });
    return study.ask().values;
  };
  expect(last(1)).not.toEqual(last(2));
});
