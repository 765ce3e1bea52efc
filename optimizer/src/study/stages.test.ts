import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createStudy,
  type Dimension,
  replay,
  type Stage,
  type Study,
  type StudyEvent,
  type StudySpec,
} from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";
import { areNested, tieDimensions } from "../space/ties.ts";
import { coordinates, mergeLike } from "../testing/problems.ts";

const tasks = 2;
const groups = 2;
const problem = mergeLike(tasks, 200, { groups });
/** Dimension `x[group * tasks + task]` is the coefficient of a task's expert in a group of layers. */
const tied = (parent: (index: number) => string): Stage["ties"] =>
  Object.fromEntries(problem.dimensions.map(({ name }, index) => [name, parent(index)]));
const scale: Stage = { name: "scale", trials: 6, ties: tied(() => "scale") };
const model: Stage = { name: "model", trials: 8, ties: tied((index) => `m${index % tasks}`) };
const spec: StudySpec = { dimensions: problem.dimensions, seed: 3, stages: [scale, model] };

function tell(study: Study, id: number): void {
  const { values } = study.trials()[id]!;
  study.tell(id, problem.observe(coordinates(problem, values), createStream(1, id, purposes.fantasies)));
}

test("each stage proposes where its dimensions are tied, for as many trials as it has, and every trial stays in the study", () => {
  const study = createStudy(spec);
  for (let k = 0; k < 20; k++) tell(study, study.ask().id);
  const asked = study
    .trials()
    .map(({ stage, values }) => ({ stage, distinct: new Set(Object.values(values)).size, values }));
  expect(asked.map(({ stage }) => stage)).toEqual([
    ...Array<string>(6).fill("scale"),
    ...Array<string>(8).fill("model"),
    ...Array<undefined>(6).fill(undefined),
  ]);
  expect(asked.slice(0, 6).every(({ distinct }) => distinct === 1)).toBe(true);
  for (const { values } of asked.slice(6, 14)) {
    expect(values["x0"]).toBe(values["x2"]);
    expect(values["x1"]).toBe(values["x3"]);
  }
  expect(asked.slice(6, 14).some(({ distinct }) => distinct === 2)).toBe(true);
  expect(asked.slice(14).some(({ values }) => values["x0"] !== values["x2"])).toBe(true);
  // What was learned on the line is known in the space: the stages after it begin with a model, not with a start of their own.
  expect(
    study
      .trials()
      .slice(6)
      .every(({ origin }) => origin === "model"),
  ).toBe(true);
  const told = study.trials()[2]!;
  const [belief] = study.predict([told.values]);
  expect(Math.abs(belief!.mean - told.score!.value)).toBeLessThan(0.1);
});

test("points of the caller's and measurements made elsewhere are kept whatever stage they come in", () => {
  const study = createStudy(spec);
  const apart = { x0: 0.1, x1: 0.2, x2: 0.3, x3: 0.4 };
  study.enqueue(apart);
  study.addObservation({ x0: 0.5, x1: 0.5, x2: 0.5, x3: 0.5 }, { values: [0.4] });
  expect(study.ask()).toMatchObject({ values: apart, origin: "enqueued", stage: "scale" });
  for (let k = 0; k < 12; k++) tell(study, study.ask().id);
  expect(study.trials().filter(({ stage }) => stage === "scale")).toHaveLength(6);
  expect(study.recommend()).toBeDefined();
});

test("a search does not stop before its dimensions have been searched one by one", () => {
  const study = createStudy({ ...spec, initialTrials: 3 });
  tell(study, study.ask().id);
  expect(study.shouldStop().reason).toBe("1 of at least 17 trials");
});

test("a trial of an earlier stage that is told late is known to the later ones", () => {
  const study = createStudy(spec);
  for (let k = 0; k < 8; k++) study.ask();
  for (let id = 0; id < 8; id++) if (id !== 4) tell(study, id);
  const before = study.ask();
  expect(before.stage).toBe("model");
  tell(study, 4);
  expect(study.trials()[4]).toMatchObject({ state: "complete", stage: "scale" });
  expect(study.ask().values).not.toEqual(before.values);
});

/** What the caller does next, as numbers drawn by fast-check: which action, and which trial it is about. */
function act(study: Study, [action, pick]: readonly [number, number]): void {
  const trials = study.trials();
  const chosen = trials[Math.floor(pick * trials.length)];
  if (action < 5 || chosen === undefined) study.ask();
  else if (action < 10) tell(study, chosen.id);
  else if (action === 10) study.fail(chosen.id, "lost");
  else if (action === 11) study.release(chosen.id);
  else if (action === 12) study.enqueue({ x0: pick, x1: pick / 2, x2: 1 - pick, x3: 0 });
  else study.recommend();
}

test("after a restart at any event of any stage the next proposal is byte-identical", () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 13 }), fc.double({ min: 0, max: 0.999, noNaN: true })), {
    minLength: 20,
    maxLength: 40,
  });
  const stored = (events: readonly StudyEvent[]): StudyEvent[] => JSON.parse(JSON.stringify(events)) as StudyEvent[];
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (script, cut) => {
      const study = createStudy(spec);
      let restarted: Study | undefined;
      for (const [index, step] of script.entries()) {
        if (index === Math.floor(cut * script.length)) restarted = replay(spec, stored(study.events));
        act(study, step);
        if (restarted !== undefined) act(restarted, step);
      }
      restarted ??= replay(spec, stored(study.events));
      expect(JSON.stringify(restarted.events)).toBe(JSON.stringify(study.events));
      expect(JSON.stringify(restarted.ask())).toBe(JSON.stringify(study.ask()));
    }),
    { numRuns: 10, seed: 11 },
  );
});

test("a coarse point has one exact image, from which it is found again, and nothing else has a coarse point", () => {
  const names = Array.from({ length: 6 }, (_, index) => `d${index}`);
  const dimensions = names.map((name): Dimension => ({ name, kind: "float", low: 1e-3, high: 7, scale: "log" }));
  const unit = fc.double({ min: 1e-3, max: 7, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 6, maxLength: 6 }),
      fc.array(unit, { minLength: 6, maxLength: 6 }),
      (parents, drawn) => {
        const ties = Object.fromEntries(names.map((name, index) => [name, `c${parents[index]}`]));
        const { dimensions: coarse, toFine, toCoarse } = tieDimensions(dimensions, ties);
        const point = Object.fromEntries(coarse.map(({ name }, index) => [name, drawn[index]!]));
        const image = toFine(point);
        for (const name of names) expect(image[name]).toBe(point[ties[name]!]);
        expect(toCoarse(image)).toEqual(point);
        const shared = names.find((name) => names.filter((other) => ties[other] === ties[name]).length > 1);
        if (shared !== undefined) expect(toCoarse({ ...image, [shared]: image[shared] === 1 ? 2 : 1 })).toBeUndefined();
        expect(areNested(dimensions, Object.fromEntries(names.map((name) => [name, "all"])), ties)).toBe(true);
      },
    ),
    { seed: 5 },
  );
});

test.each<[string, Partial<StudySpec>, string]>([
  ["a name twice", { stages: [scale, scale] }, 'stage "scale": another stage has this name'],
  ["no trials", { stages: [{ ...scale, trials: 0 }] }, 'stage "scale": trials must be a whole number >= 1, not 0'],
  [
    "fine before coarse",
    { stages: [model, scale] },
    'stage "model": stage "scale" after it ties dimensions together that are apart here',
  ],
  [
    "ties of what is no dimension",
    { stages: [{ ...scale, ties: { y: "scale" } }] },
    '"y" is tied to "scale", but is no dimension',
  ],
  [
    "a simplex that is tied",
    {
      dimensions: [{ name: "x0", kind: "simplex", members: ["a", "b"] }, ...problem.dimensions.slice(1)],
      stages: [scale],
    },
    '"x0" is a simplex, and only single values can be tied',
  ],
  [
    "ties of different ranges",
    { dimensions: [...problem.dimensions.slice(1), { name: "x0", kind: "float", low: 0, high: 2 }], stages: [scale] },
    'dimension "x0" is tied to "scale" with others of another kind or range',
  ],
])("stages with %s are refused", (_, change, message) => {
  expect(() => createStudy({ ...spec, ...change })).toThrow(message);
});

test("a simplex that is not tied is searched in every stage as it is", () => {
  const ties = { x0: "scale", x1: "scale" };
  const dimensions: Dimension[] = [
    ...problem.dimensions.slice(0, 2),
    { name: "mix", kind: "simplex", members: ["a", "b"] },
  ];
  const study = createStudy({ dimensions, seed: 1, stages: [{ name: "scale", trials: 4, ties }] });
  for (let k = 0; k < 6; k++) {
    const { id, values, stage } = study.ask();
    study.tell(id, { values: [Number(values["x0"]) * Number(values["a"])] });
    expect(Object.keys(values).toSorted()).toEqual(["a", "b", "x0", "x1"]);
    expect(values["x0"] === values["x1"]).toBe(stage === "scale");
  }
});

test("a log of another study's stages is refused", () => {
  const study = createStudy(spec);
  study.ask();
  expect(() => replay({ ...spec, stages: [model] }, study.events)).toThrow('the study has no stage "scale"');
});
