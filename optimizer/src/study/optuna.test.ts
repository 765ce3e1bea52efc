// The texts are what Optuna 5.0.0 wrote of one study: a failed, a pruned, an infinite and a running trial among its six.

import { expect, test } from "vitest";
import { createStudy, optunaDimensions, readOptunaTrials, warmStart } from "../index.ts";

const float = '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}';
const integer = '{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 8}}';
const trial = (number: number, state: string, values: string, weight: number, k: number): string =>
  `{"number": ${number}, "state": "${state}", "values": ${values}, "params": {"weight.base": ${weight}, "k": ${k}},
    "distributions": {"weight.base": ${float}, "k": ${integer}}}`;
const exported = `{"directions": ["MINIMIZE"], "trials": [
  ${trial(0, "COMPLETE", "[0.07369414958460925]", 0.417022004702574, 6)},
  ${trial(1, "FAIL", "null", 0.00011437481734488664, 3)},
  ${trial(2, "PRUNED", "[0.5]", 0.14675589081711304, 1)},
  ${trial(3, "COMPLETE", "[Infinity]", 0.1862602113776709, 3)},
  ${trial(4, "COMPLETE", "[0.059363944068983376]", 0.39676747423066994, 5)},
  {"number": 5, "state": "RUNNING", "values": null, "params": {}, "distributions": {}}]}`;
const byRows =
  '[{"number":0,"value":0.073694149584609,"datetime_start":1795793217324,"datetime_complete":1795793217465,"duration":141,"params_k":6.0,"params_weight.base":0.417022004702574,"state":"COMPLETE"},' +
  '{"number":5,"value":null,"datetime_start":1795793218042,"datetime_complete":null,"duration":null,"params_k":null,"params_weight.base":null,"state":"RUNNING"}]';
const byColumns =
  '{"number":{"0":0,"1":5},"value":{"0":0.073694149584609,"1":null},"params_k":{"0":6.0,"1":null},"params_weight.base":{"0":0.417022004702574,"1":null},"state":{"0":"COMPLETE","1":"RUNNING"}}';

test("complete trials are taken with the sign turned, others are left out with their state", () => {
  const { trials, skipped } = readOptunaTrials(exported);
  expect(trials).toEqual([
    {
      values: { "weight.base": 0.417022004702574, k: 6 },
      result: { values: [-0.07369414958460925] },
      source: "Optuna trial 0",
    },
    { values: { "weight.base": 0.1862602113776709, k: 3 }, result: { values: [Number.NaN] }, source: "Optuna trial 3" },
    {
      values: { "weight.base": 0.39676747423066994, k: 5 },
      result: { values: [-0.059363944068983376] },
      source: "Optuna trial 4",
    },
  ]);
  expect(skipped).toEqual([
    { source: "Optuna trial 1", reason: "fail" },
    { source: "Optuna trial 2", reason: "pruned" },
    { source: "Optuna trial 5", reason: "running" },
  ]);
});

test("a study continues from them, under its own names; the infinite score is a failure, a failed trial is one if wanted", () => {
  const study = createStudy({
    dimensions: [
      { name: "base", kind: "float", low: 0, high: 1 },
      { name: "k", kind: "integer", low: 1, high: 5 },
    ],
    seed: 1,
  });
  const { trials } = readOptunaTrials(exported, { keepFailures: true });
  expect(warmStart(study, trials, { rename: { "weight.base": "base" } })).toEqual({
    added: [0, 1, 2],
    dropped: [{ source: "Optuna trial 0", reason: 'value 6 of dimension "k" is outside [1, 5]' }],
  });
  expect(study.trials().map(({ state, reason }) => [state, reason])).toEqual([
    ["failed", "failed in Optuna"],
    ["failed", "score NaN is not finite"],
    ["complete", undefined],
  ]);
  expect(study.recommend()).toMatchObject({ values: { base: 0.39676747423066994, k: 5 }, trials: 1 });
});

test("a data frame by rows or by columns says the same", () => {
  const directions = ["minimize"] as const;
  const expected = {
    trials: [
      {
        values: { "weight.base": 0.417022004702574, k: 6 },
        result: { values: [-0.073694149584609] },
        source: "Optuna trial 0",
      },
    ],
    skipped: [{ source: "Optuna trial 5", reason: "running" }],
  };
  expect(readOptunaTrials(byRows, { directions })).toEqual(expected);
  expect(readOptunaTrials(byColumns, { directions })).toEqual(expected);
});

test("the attributes of a FrozenTrial as they are, and several objectives each with its direction", () => {
  const raw =
    '[{"_number": 7, "state": 1, "_values": [3, 4], "_params": {"x": 0.5}, "_distributions": {"x": "FloatDistribution(high=1.0)"}}]';
  const frame = '[{"number":7,"values_0":3,"values_1":4,"params_x":0.5,"state":"COMPLETE"}]';
  for (const text of [raw, frame]) {
    expect(readOptunaTrials(text, { directions: ["maximize", "minimize"] }).trials).toEqual([
      { values: { x: 0.5 }, result: { values: [3, -4] }, source: "Optuna trial 7" },
    ]);
  }
});

test.each<[string, string, RegExp]>([
  ["no JSON", "number,value\n0,1", /not JSON/],
  ["no trials", '{"a": 1}', /must be a list of trials/],
  ["a list of other things", "[1, 2]", /must be a list of trials/],
  ["no direction", byRows, /do not say which way is better: give directions/],
  [
    "a direction that is none",
    '{"direction": "NOT_SET", "trials": []}',
    /direction "NOT_SET" is not minimize or maximize/,
  ],
  [
    "more directions than values",
    exported.replace('"MINIMIZE"', '"MINIMIZE", "MAXIMIZE"'),
    /has 1 values, but there are 2 directions/,
  ],
  ["an unknown state", exported.replace("PRUNED", "PAUSED"), /Optuna trial 2 has no state/],
  [
    "a parameter that its distribution does not have",
    exported.replace('"k": 6', '"k": 9'),
    /Optuna trial 0: k is 9, which its distribution \[1,8\] does not have/,
  ],
])("%s is refused", (_, text, message) => {
  expect(() => readOptunaTrials(text)).toThrow(message);
});

test("the dimensions are those of the distributions, each as wide as it ever was", () => {
  expect(optunaDimensions(exported)).toEqual([
    { name: "weight.base", kind: "float", low: 0, high: 1 },
    { name: "k", kind: "integer", low: 1, high: 8 },
  ]);
  const of = (name: string, attributes: object): object => ({
    params: {},
    state: 1,
    distributions: { x: { name, attributes } },
  });
  const read = (...trials: object[]): unknown => optunaDimensions(JSON.stringify(trials));
  const float = (low: number, high: number): object => of("FloatDistribution", { low, high, log: true, step: null });
  expect(read(float(0.1, 1), float(0.01, 0.5))).toEqual([
    { name: "x", kind: "float", low: 0.01, high: 1, scale: "log" },
  ]);
  const choices = (list: unknown[]): object => of("CategoricalDistribution", { choices: list });
  expect(read(choices(["a", 2]))).toEqual([{ name: "x", kind: "categorical", choices: ["a", 2] }]);
  expect(() => read(choices(["a", null]))).toThrow(/"x" has a distribution that a study cannot have: .*null/);
  expect(() => read(float(0, 1), choices(["a"]))).toThrow(/"x" has two distributions that do not go together/);
  expect(() => optunaDimensions(byRows)).toThrow(/no distributions: declare the dimensions/);
});

test("names that objects inherit are names like any other", () => {
  const text =
    '{"directions": ["maximize"], "trials": [{"number": 0, "state": "COMPLETE", "values": [1], "params": {"__proto__": 0.5, "constructor": 0.25}, "distributions": {}}]}';
  const { trials } = readOptunaTrials(text);
  const dimensions = ["__proto__", "constructor"].map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const);
  const study = createStudy({ dimensions, seed: 1 });
  expect(warmStart(study, trials).added).toEqual([0]);
  expect(Object.entries(study.trials()[0]!.values)).toEqual([
    ["__proto__", 0.5],
    ["constructor", 0.25],
  ]);
  expect(({} as Record<string, unknown>)["0.5"]).toBeUndefined();
  expect(study.ask().origin).toBe("line");
});
