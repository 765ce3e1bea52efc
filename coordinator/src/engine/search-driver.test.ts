import type { Stage } from "@amalgam/optimizer";
import { createLogger } from "@amalgam/runtime";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, trialId } from "../job/decide.ts";
import type { JobEvent, SearchBasis } from "../job/events.ts";
import type { JobFacts } from "../job/facts.ts";
import type { JobState } from "../job/state.ts";
import { replay, SPEC, scoreOf } from "../job/testing/events.ts";
import { createProposer } from "./proposer.ts";
import { createSearchDriver, type Recommended, type SearchDriver } from "./search-driver.ts";
import { createSearchThread } from "./search-thread.ts";

const log = createLogger({ role: "test", level: "silent" });

const DIMENSIONS = ["weight[a]", "weight[b]"].map((name) => {
  return { name, kind: "float" as const, low: 0, high: 1, scale: "linear" as const };
});
const START = [{ "weight[a]": 0.25, "weight[b]": 0.75 }];

const factsOf = (parallel: number): JobFacts => ({
  kind: "search",
  trials: 9,
  parallel,
  tasks: ["x", "y"],
  comparisons: [],
  shards: 1,
});
const basisOf = ({ firstTrials, tasks }: JobFacts, stages: readonly Stage[] = []): SearchBasis => ({
  proposer: firstTrials === undefined ? "study" : "greedy_soup",
  spec: { dimensions: DIMENSIONS, seed: 7, metrics: tasks, stages },
  events: firstTrials === undefined ? START.map((values) => ({ type: "enqueue", values })) : [],
  stopsEarly: false,
});
/** Replays the search for every question, as if its thread died after each. */
const forgetfulDriver = (facts: JobFacts, basis = basisOf(facts)): SearchDriver =>
  createSearchDriver({ answer: async (events, question) => createProposer(basis, events)[question]() as never }, facts);

/** The score of a point on a task: one hill, and a task that is easier than the other. */
function accuracyAt(coefficients: Readonly<Record<string, number>>, task: string): number {
  const distance = Math.hypot(coefficients["weight[a]"]! - 0.6, coefficients["weight[b]"]! - 0.3);
  return Math.max(0.1, (task === "x" ? 0.9 : 0.8) - 0.5 * distance);
}

interface Life {
  readonly state: JobState;
  readonly recommended: Recommended | undefined;
}

/**
 * Searches as the coordinator does: of the evaluations in flight one comes in at each turn, chosen by `choices`. What is known is
 * read from the journal at each turn, as if the coordinator had been restarted.
 */
async function search(
  facts: JobFacts,
  driver: SearchDriver,
  choices: readonly number[],
  fails: (trial: number) => boolean,
  basis = basisOf(facts),
): Promise<Life> {
  const events: JobEvent[] = [
    { type: "submitted", spec: SPEC },
    { type: "searchBegun", basis },
  ];
  for (let turn = 0; ; turn++) {
    const state = replay(JSON.parse(JSON.stringify(events)) as JobEvent[]);
    const steps = decide(state, facts);
    const propose = steps.find((step) => step.kind === "propose");
    const open = steps.flatMap((step) =>
      step.kind === "evaluate" ? step.tasks.map((task) => ({ ...step, task })) : [],
    );
    if (propose !== undefined) {
      const { kind, ...proposed } = await driver.propose(state, propose.trial);
      if ("report" in proposed) events.push({ type: "searchStopped", ...proposed });
      else events.push({ type: "proposed", candidateId: trialId(propose.trial), ...proposed });
    } else if (open.length > 0) {
      const { candidateId, task } = open[(choices[turn % choices.length] ?? 0) % open.length]!;
      const trial = state.trials.findIndex((each) => each.candidateId === candidateId);
      const { coefficients } = state.trials[trial]!;
      if (fails(trial)) events.push({ type: "candidateFailed", candidateId, problem: "weights out of range" });
      else events.push({ type: "scored", candidateId, task, score: scoreOf(accuracyAt(coefficients, task)) });
    } else {
      const isOver = steps.some(({ kind }) => kind === "recommend");
      return { state, recommended: isOver ? await driver.recommend(state) : undefined };
    }
  }
}

const none = (): boolean => false;
const choices = fc.array(fc.nat(9), { minLength: 5 });

test("the same points are tried and recommended whatever the order of scores, and though everything is replayed for each proposal", async () => {
  for (const parallel of [1, 3]) {
    const facts = factsOf(parallel);
    await using thread = createSearchThread(basisOf(facts), log);
    const straight = await search(facts, createSearchDriver(thread, facts), [0], none);
    expect(straight.state.trials).toHaveLength(facts.trials);
    expect(straight.state.trials.map(({ origin }) => origin)).toContain("model");
    await fc.assert(
      fc.asyncProperty(choices, async (order) => {
        const life = await search(facts, forgetfulDriver(facts), order, none);
        expect(life.state.trials).toEqual(straight.state.trials);
        expect(life.recommended).toEqual(straight.recommended);
      }),
      { numRuns: 4 },
    );
  }
});

test("the same holds from coarse to fine: a trial's stage is that of its number, whatever was in flight when the stage began", async () => {
  const facts = factsOf(3);
  const ties = Object.fromEntries(DIMENSIONS.map(({ name }) => [name, "weight"]));
  const basis = basisOf(facts, [{ name: "scale", trials: 5, ties }]);
  await using thread = createSearchThread(basis, log);
  const straight = await search(facts, createSearchDriver(thread, facts), [0], none);
  const stages = straight.state.trials.map(({ ask }) => ask?.stage);
  expect(stages).toEqual([...Array<string>(5).fill("scale"), ...Array<undefined>(4).fill(undefined)]);
  for (const order of [
    [2, 1, 0, 1],
    [5, 3, 4],
  ]) {
    const life = await search(facts, forgetfulDriver(facts, basis), order, none);
    expect(life.state.trials).toEqual(straight.state.trials);
    expect(life.recommended).toEqual(straight.recommended);
  }
});

test("the same holds when trials fail, and a failed trial is never recommended", async () => {
  const facts = factsOf(2);
  const fails = (trial: number): boolean => trial === 0 || trial === 4;
  await using thread = createSearchThread(basisOf(facts), log);
  const straight = await search(facts, createSearchDriver(thread, facts), [0], fails);
  expect(straight.state.failures.size).toBe(2);
  const other = await search(facts, forgetfulDriver(facts), [3, 1, 4, 1, 5], fails);
  expect(other.state.trials).toEqual(straight.state.trials);
  expect(other.recommended).toEqual(straight.recommended);
  expect(straight.state.failures.has(straight.recommended!.candidateId)).toBe(false);
});

test("the points of the recipe are tried first, and the recommendation is one of the trials", async () => {
  const facts = factsOf(2);
  const { state, recommended } = await search(facts, forgetfulDriver(facts), [1], none);
  expect(state.trials[0]).toMatchObject({ coefficients: START[0], origin: "enqueued" });
  const { candidateId, coefficients, mean, probabilityBest } = recommended!;
  expect(state.trials.find((trial) => trial.candidateId === candidateId)?.coefficients).toEqual(coefficients);
  expect(mean).toBeGreaterThan(0.6);
  expect(probabilityBest).toBeGreaterThan(0);
});

test("a search that may stops when more trials would gain less than noise, at the same trial whatever the order of scores", async () => {
  const facts: JobFacts = { ...factsOf(2), trials: 40 };
  const basis: SearchBasis = { ...basisOf(facts), stopsEarly: true };
  await using thread = createSearchThread(basis, log);
  const straight = await search(facts, createSearchDriver(thread, facts), [0], none, basis);
  expect(straight.state.stopped).toMatchObject({ stop: true });
  expect(straight.state.trials.length).toBeLessThan(facts.trials);
  const other = await search(facts, forgetfulDriver(facts, basis), [3, 1, 4], none, basis);
  expect(other).toEqual(straight);
});

test("a search without a single score has nothing to recommend", async () => {
  const facts = factsOf(1);
  const { state, recommended } = await search(facts, forgetfulDriver(facts), [0], () => true);
  expect(recommended).toBeUndefined();
  await expect(forgetfulDriver(facts).recommend(state)).rejects.toThrow("no trial has a score");
  expect(decide(state, facts)).toMatchObject([{ kind: "fail" }]);
});

test("a greedy soup tries the models together, then one addition after another, whatever the order of scores and the restarts", async () => {
  const facts: JobFacts = { ...factsOf(2), trials: 3, firstTrials: 2 };
  await using thread = createSearchThread(basisOf(facts), log);
  const straight = await search(facts, createSearchDriver(thread, facts), [0], none);
  expect(straight.state.trials.map(({ coefficients, origin }) => [Object.values(coefficients), origin])).toEqual([
    [[1, 0], "alone"],
    [[0, 1], "alone"],
    [[1, 1], "soup"],
  ]);
  expect(straight.recommended).toMatchObject({ candidateId: "t0", coefficients: { "weight[a]": 1, "weight[b]": 0 } });
  expect(straight.recommended?.probabilityBest).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(choices, async (order) => {
      const life = await search(facts, forgetfulDriver(facts), order, none);
      expect(life.state.trials).toEqual(straight.state.trials);
      expect(life.recommended).toEqual(straight.recommended);
    }),
    { numRuns: 10 },
  );
});
