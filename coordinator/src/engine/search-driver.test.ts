import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, trialId } from "../job/decide.ts";
import type { JobEvent } from "../job/events.ts";
import type { JobFacts } from "../job/facts.ts";
import { type JobState, reduce } from "../job/state.ts";
import { replay, SPEC, scoreOf } from "../job/testing/events.ts";
import { createSearchDriver, type SearchDriver, type SearchSpec } from "./search-driver.ts";

const DIMENSIONS = ["weight[a]", "weight[b]"].map((name) => {
  return { name, kind: "float" as const, low: 0, high: 1, scale: "linear" as const };
});
const STUDY: SearchSpec = { dimensions: DIMENSIONS, seed: 7, strategy: "bayesian" };
const START = [{ "weight[a]": 0.25, "weight[b]": 0.75 }];

const factsOf = (parallel: number): JobFacts => ({
  kind: "search",
  trials: 9,
  parallel,
  tasks: ["x", "y"],
  comparisons: [],
  shards: 1,
});
const driverOf = (facts: JobFacts): SearchDriver =>
  facts.firstTrials === undefined
    ? createSearchDriver(STUDY, facts, START)
    : createSearchDriver({ ...STUDY, strategy: "greedy_soup" }, facts, []);

/** The score of a point on a task: one hill, and a task that is easier than the other. */
function accuracyAt(coefficients: Readonly<Record<string, number>>, task: string): number {
  const distance = Math.hypot(coefficients["weight[a]"]! - 0.6, coefficients["weight[b]"]! - 0.3);
  return Math.max(0.1, (task === "x" ? 0.9 : 0.8) - 0.5 * distance);
}

interface Life {
  readonly events: readonly JobEvent[];
  readonly state: JobState;
  readonly recommended: ReturnType<SearchDriver["recommend"]> | undefined;
}

/**
 * Searches as the coordinator does: of the evaluations in flight one comes in at each turn, chosen by `choices`. Where
 * `restarts` says so, the coordinator has been restarted in between: a new driver, and the state read from the journal.
 */
function search(
  facts: JobFacts,
  choices: readonly number[],
  restarts: (turn: number) => boolean,
  fails: (trial: number) => boolean,
): Life {
  const events: JobEvent[] = [{ type: "submitted", spec: SPEC }];
  let state = replay(events);
  let driver = driverOf(facts);
  const record = (event: JobEvent): void => {
    events.push(event);
    state = reduce(state, event);
  };
  for (let turn = 0; ; turn++) {
    if (restarts(turn)) {
      driver = driverOf(facts);
      state = replay(JSON.parse(JSON.stringify(events)) as JobEvent[]);
    }
    const steps = decide(state, facts);
    const propose = steps.find((step) => step.kind === "propose");
    const open = steps.flatMap((step) =>
      step.kind === "evaluate" ? step.tasks.map((task) => ({ ...step, task })) : [],
    );
    if (propose !== undefined) {
      const { coefficients, origin } = driver.propose(state, propose.trial);
      record({ type: "proposed", candidateId: trialId(propose.trial), coefficients, origin });
    } else if (open.length > 0) {
      const { candidateId, task } = open[(choices[turn % choices.length] ?? 0) % open.length]!;
      const trial = state.trials.findIndex((each) => each.candidateId === candidateId);
      const { coefficients } = state.trials[trial]!;
      if (fails(trial)) record({ type: "candidateFailed", candidateId, problem: "weights out of range" });
      else record({ type: "scored", candidateId, task, score: scoreOf(accuracyAt(coefficients, task)) });
    } else {
      const isOver = steps.some(({ kind }) => kind === "recommend");
      return { events, state, recommended: isOver ? driver.recommend(state) : undefined };
    }
  }
}

const never = (): boolean => false;

test("the same points are tried and recommended whatever the order of scores and however often the coordinator restarts", () => {
  for (const parallel of [1, 3]) {
    const facts = factsOf(parallel);
    const straight = search(facts, [0], never, never);
    expect(straight.state.trials).toHaveLength(facts.trials);
    expect(straight.state.trials.map(({ origin }) => origin)).toContain("model");
    fc.assert(
      fc.property(
        fc.array(fc.nat(9), { minLength: 5 }),
        fc.array(fc.boolean(), { minLength: 5 }),
        (choices, restarts) => {
          const life = search(facts, choices, (turn) => restarts[turn % restarts.length]!, never);
          expect(life.state.trials).toEqual(straight.state.trials);
          expect(life.recommended).toEqual(straight.recommended);
        },
      ),
      { numRuns: 4 },
    );
  }
});

test("the same holds when trials fail, and a failed trial is never recommended", () => {
  const facts = factsOf(2);
  const fails = (trial: number): boolean => trial === 0 || trial === 4;
  const straight = search(facts, [0], never, fails);
  expect(straight.state.failures.size).toBe(2);
  const other = search(facts, [3, 1, 4, 1, 5], (turn) => turn % 7 === 3, fails);
  expect(other.state.trials).toEqual(straight.state.trials);
  expect(other.recommended).toEqual(straight.recommended);
  expect(fails(straight.recommended!.trial)).toBe(false);
});

test("the points of the recipe are tried first, and the recommendation is one of the trials", () => {
  const { state, recommended } = search(factsOf(2), [1], never, never);
  expect(state.trials[0]).toMatchObject({ coefficients: START[0], origin: "enqueued" });
  const { trial, values, mean, probabilityBest } = recommended!;
  expect(state.trials[trial]?.coefficients).toEqual(values);
  expect(mean).toBeGreaterThan(0.6);
  expect(probabilityBest).toBeGreaterThan(0);
});

test("a search without a single score has nothing to recommend", () => {
  const facts = factsOf(1);
  const { state, recommended } = search(facts, [0], never, () => true);
  expect(recommended).toBeUndefined();
  expect(() => driverOf(facts).recommend(state)).toThrow("no trial has a score");
  expect(decide(state, facts)).toMatchObject([{ kind: "fail" }]);
});

test("a greedy soup tries the models together, then one addition after another, whatever the order of scores and the restarts", () => {
  const facts: JobFacts = { ...factsOf(2), trials: 3, firstTrials: 2 };
  const straight = search(facts, [0], never, never);
  expect(straight.state.trials.map(({ coefficients, origin }) => [Object.values(coefficients), origin])).toEqual([
    [[1, 0], "alone"],
    [[0, 1], "alone"],
    [[1, 1], "soup"],
  ]);
  expect(straight.recommended).toMatchObject({ trial: 0, values: { "weight[a]": 1, "weight[b]": 0 } });
  expect(straight.recommended?.probabilityBest).toBeUndefined();
  fc.assert(
    fc.property(
      fc.array(fc.nat(9), { minLength: 5 }),
      fc.array(fc.boolean(), { minLength: 5 }),
      (choices, restarts) => {
        const life = search(facts, choices, (turn) => restarts[turn % restarts.length]!, never);
        expect(life.state.trials).toEqual(straight.state.trials);
        expect(life.recommended).toEqual(straight.recommended);
      },
    ),
    { numRuns: 10 },
  );
});
