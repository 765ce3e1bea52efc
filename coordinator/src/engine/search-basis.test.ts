import { expect, test } from "vitest";
import type { JobFacts } from "../job/facts.ts";
import { replay, SPEC, scoreOf } from "../job/testing/events.ts";
import { trialScore } from "../job/trial-score.ts";
import { parseRecipe } from "../recipe/index.ts";
import { createProposer } from "./proposer.ts";
import { searchBasis } from "./search-basis.ts";

const FACTS: JobFacts = {
  kind: "search",
  trials: 9,
  parallel: 2,
  tasks: ["x", "y"],
  experts: [
    { id: "e0", name: "a" },
    { id: "e1", name: "b" },
  ],
  comparisons: [],
  shards: 1,
};

/** Model a is the expert of x, model b that of y; and a trial. */
const STATE = replay([
  { type: "submitted", spec: SPEC },
  ...Object.entries({ e0: [0.8, 0.3], e1: [0.4, 0.6], t0: [0.72, 0.57] }).flatMap(([candidateId, accuracies]) =>
    accuracies.map((accuracy, task) => {
      return { type: "scored", candidateId, task: FACTS.tasks[task]!, score: scoreOf(accuracy) } as const;
    }),
  ),
]);

const basisOf = (search: string) =>
  searchBasis(
    parseRecipe(
      `merge_method: linear\nmodels: [{model: a}, {model: b}]\nseed: 4\nevaluate: {tasks: [x.yaml, y.yaml]}\nsearch: {${search}}\n`,
      { fileName: "r.yaml" },
    ),
    FACTS,
    STATE,
  );

test("the study measures the tasks; points to start from are queued", () => {
  expect(basisOf("start: [average], initial_trials: 3")).toMatchObject({
    proposer: "study",
    spec: { seed: 4, metrics: ["x", "y"], objective: { kind: "mean" }, initialTrials: 3 },
    events: [{ type: "enqueue", values: { "weight[a]": 0.5, "weight[b]": 0.5 } }],
  });
  expect(basisOf("strategy: greedy_soup").proposer).toBe("greedy_soup");
});

test("every strategy of a recipe proposes points of its coefficients, shares that add up to 1 among them", () => {
  for (const strategy of ["bayesian", "random", "sobol", "grid", "cmaes"]) {
    const basis = basisOf(`strategy: ${strategy}, trials: 9, coefficients: {weight: {simplex: true}}, start: [models]`);
    const proposer = createProposer(basis, basis.events);
    const points = Array.from({ length: 9 }, (_, id) => {
      const proposed = proposer.propose();
      const values = proposed.kind === "trial" ? (proposed.event.values as Readonly<Record<string, number>>) : {};
      proposer.apply({
        type: "tell",
        id,
        values: [0.5 + 0.1 * values["weight[a]"]!, 0.5],
        standardErrors: [0.01, 0.01],
      });
      return [values["weight[a]"]!, values["weight[b]"]!];
    });
    expect(points.slice(0, 2)).toEqual([
      [1, 0],
      [0, 1],
    ]);
    for (const [a, b] of points) expect(a! + b!).toBeCloseTo(1, 12);
    expect(proposer.recommend().leaders).not.toEqual([]);
  }
});

test("the expert of a task is the model that is best at it by itself", () => {
  expect(basisOf("objective: normalised").spec.objective).toEqual({ kind: "mean", normalise: { experts: [0.8, 0.6] } });
  const constraints = (body: string) => basisOf(`constraints: [${body}]`).spec.constraints;
  expect(constraints("{every_task_loses_at_most: 0.05}")).toEqual([
    { metric: "x", atLeast: 0.75 },
    { metric: "y", atLeast: 0.6 - 0.05 },
  ]);
  expect(
    constraints("{task: y, at_least: 0.58}, {every_task_loses_at_most: 0.05}, {every_task_at_least: 0.5}"),
  ).toEqual([
    { metric: "x", atLeast: 0.75 },
    { metric: "y", atLeast: 0.58 },
  ]);
  expect(constraints("{task: y, at_least: 0.58}")).toEqual([{ metric: "y", atLeast: 0.58 }]);
});

test("a trial is scored by what the search is after, and told where it misses a bound", () => {
  const scoreWith = (search: string) => {
    const state = replay([{ type: "searchBegun", basis: basisOf(search) }], STATE);
    return trialScore(state, "t0", FACTS.tasks)!;
  };
  expect(scoreWith("").value).toBeCloseTo(0.645, 12);
  expect(scoreWith("objective: {weights: {x: 2, y: 1}}").value).toBeCloseTo(0.67, 12);
  expect(scoreWith("objective: normalised").value).toBeCloseTo((0.9 + 0.95) / 2, 12);
  expect(scoreWith("objective: worst").value).toBeLessThanOrEqual(0.57);
  expect(scoreWith("constraints: [{every_task_loses_at_most: 0.05}]").unmet).toEqual(["x"]);
  expect(scoreWith("constraints: [{every_task_at_least: 0.5}]").unmet).toEqual([]);
});
