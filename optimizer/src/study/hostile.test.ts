// Files that were damaged, edited by hand or made to do harm: they are refused with a StudyError, or read.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createStudy,
  formatLog,
  openLog,
  optunaDimensions,
  readOptunaTrials,
  StudyError,
  type StudySpec,
  warmStart,
} from "../index.ts";

const spec: StudySpec = {
  dimensions: [
    { name: "a", kind: "float", low: 0, high: 1 },
    { name: "w", kind: "simplex", members: ["p", "q"] },
    { name: "m", kind: "categorical", choices: ["x", 2] },
  ],
  metrics: ["one", "two"],
  constraints: [{ metric: "two", atLeast: 0.1 }],
  seed: 4,
  initialTrials: 3,
};

function log(): unknown[] {
  const study = createStudy(spec);
  study.enqueue({ a: 0.5, p: 0.25, q: 0.75, m: 2 });
  study.addObservation(
    { a: 0.1, p: 0, q: 1, m: "x" },
    { values: [1, 2], standardErrors: [0.1, 0.1], items: 9, cost: 1 },
  );
  study.addObservation({ a: 0.2, p: 0, q: 1, m: "x" }, { reason: "diverged" }, "elsewhere");
  for (let k = 0; k < 5; k++) {
    const { id } = study.ask();
    if (k === 1) study.release(id);
    else if (k === 2) study.fail(id, "diverged");
    else study.tell(id, { values: [k / 5, 0.5] });
  }
  return formatLog(study)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

const optuna: unknown = {
  directions: ["MAXIMIZE"],
  trials: [
    {
      number: 0,
      state: "COMPLETE",
      values: [1],
      params: { a: 0.5, p: 0.5, q: 0.5, m: "x" },
      distributions: { a: { name: "FloatDistribution", attributes: { low: 0, high: 1, log: false, step: null } } },
    },
    { number: 1, value: 2, state: "FAIL", params_a: 0.5, params_m: "x" },
  ],
};

const strange = fc.oneof(
  fc.constantFrom(null, true, -1, 0.5, 1e308, "", "x", [], {}, [null], { a: 0 }, "__proto__", "constructor"),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The value with one of its parts, chosen by `picks` on the way down, replaced, removed or renamed. */
function damaged(value: unknown, picks: readonly number[], by: unknown): unknown {
  const [pick, ...rest] = picks;
  const isObject = typeof value === "object" && value !== null;
  const keys = isObject ? Object.keys(value) : [];
  if (pick === undefined || keys.length === 0) return by;
  const key = keys[Math.floor(pick * keys.length)]!;
  const part = (value as Record<string, unknown>)[key];
  if (Array.isArray(value)) return value.with(Number(key), damaged(part, rest, by));
  const entries = Object.entries(value as object).flatMap(([name, own]): [string, unknown][] => {
    if (name !== key) return [[name, own]];
    if (rest.length === 0 && by === null) return [];
    return rest.length === 0 && typeof by === "string" ? [[by, own]] : [[name, damaged(part, rest, by)]];
  });
  return Object.fromEntries(entries);
}

const picks = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 6 });

function readsOrRefuses(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof StudyError)) throw error;
  }
}

test("a log with any part replaced is opened or refused", () => {
  const lines = log();
  fc.assert(
    fc.property(picks, strange, (where, by) => {
      const whole = damaged(lines, where, by);
      const text = Array.isArray(whole)
        ? whole.map((line) => `${JSON.stringify(line)}\n`).join("")
        : JSON.stringify(whole);
      readsOrRefuses(() => openLog(text));
    }),
    { numRuns: 1500, seed: 3 },
  );
});

test("Optuna trials with any part replaced are read or refused, and what is read is taken or dropped", () => {
  fc.assert(
    fc.property(picks, strange, (where, by) => {
      const text = JSON.stringify(damaged(optuna, where, by));
      readsOrRefuses(() => createStudy({ dimensions: optunaDimensions(text), seed: 1 }));
      readsOrRefuses(() => {
        const { trials } = readOptunaTrials(text, { keepFailures: true });
        const study = createStudy({ ...spec, metrics: ["one"], constraints: [] });
        warmStart(study, trials);
        expect(study.trials().length).toBeLessThanOrEqual(2);
      });
    }),
    { numRuns: 1500, seed: 3 },
  );
  expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
});

test("text that is no JSON, or deep or long JSON, is refused", () => {
  for (const text of ["", "\n", "{", "[".repeat(1e5), `"${"x".repeat(1e6)}`, `${"[".repeat(1e5)}${"]".repeat(1e5)}`]) {
    expect(() => openLog(`${text}\n`)).toThrow(StudyError);
    expect(() => readOptunaTrials(text)).toThrow(StudyError);
  }
});
