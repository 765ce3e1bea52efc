import { JobViewSchema } from "@amalgam/proto";
import { toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { JobEvent, ViewFacts } from "../job/events.ts";
import { FACTS, replay, SPEC, scoreOf } from "../job/testing/events.ts";
import { type LiveFacts, viewJob } from "./view.ts";

const SEARCH = FACTS;
const MERGE: ViewFacts = { ...SEARCH, kind: "merge", trials: 0, tasks: [], comparisons: [] };
const IDLE: LiveFacts = { workers: 2, activities: new Map(), publishing: false, waitingFor: "" };
const SUBMITTED: JobEvent = { type: "submitted", spec: SPEC };
const proposed = (trial: number): JobEvent => {
  return { type: "proposed", candidateId: `t${trial}`, coefficients: { "weight[a]": 0.5 }, origin: "sobol" };
};
const scored = (candidateId: string, accuracy: number): JobEvent[] =>
  SEARCH.tasks.map((task) => ({ type: "scored", candidateId, task, score: scoreOf(accuracy) }));
const RECOMMENDED: JobEvent = {
  type: "recommended",
  candidateId: "t0",
  coefficients: { "weight[a]": 0.5 },
  mean: 0.7,
  standardDeviation: 0.01,
  probabilityBest: 0.9,
};
const written = (shard: number): JobEvent => ({ type: "shardWritten", shard, segmentSha256: [] });
const planned = (facts: ViewFacts): JobEvent => ({ type: "planned", planDigest: "p", facts });
const view = (events: readonly JobEvent[], facts: ViewFacts = SEARCH, live: Partial<LiveFacts> = {}) =>
  viewJob("job", replay([SUBMITTED, planned(facts), ...events]), { ...IDLE, ...live });

test("a search is planning, searching, comparing, writing, publishing and done, in that order", () => {
  const events: JobEvent[] = [];
  const states: string[] = [viewJob("job", replay([SUBMITTED]), IDLE).state];
  const then = (...news: JobEvent[]): void => {
    events.push(...news);
    const { state } = view(events);
    if (states.at(-1) !== state) states.push(state);
  };
  then(proposed(0), proposed(1), ...scored("t0", 0.7));
  then(...scored("t1", 0.6));
  then(RECOMMENDED);
  then(...scored("final", 0.71));
  then({ type: "candidateFailed", candidateId: "c0", problem: "overflow" });
  then(written(0), written(1), written(2));
  states.push(view(events, SEARCH, { publishing: true }).state);
  then({ type: "published" });
  expect(states).toEqual(["planning", "searching", "comparing", "writing", "publishing", "done"]);
});

test("a trial of a search from coarse to fine has the name of its stage, later ones have none", () => {
  const early: JobEvent = { ...(proposed(0) as JobEvent & { type: "proposed" }), ask: { id: 0, stage: "scale" } };
  expect(view([early, proposed(1)]).candidates.map(({ stage }) => stage)).toEqual(["scale", "", ""]);
});

test("a merge is writing from its plan on", () => {
  expect(view([], MERGE).state).toBe("writing");
  const half = view([written(1)], MERGE);
  expect([half.shardsWritten, half.shards, half.candidates.length, half.trialsPlanned]).toEqual([1, 3, 0, 0]);
});

test("the end of a job is its state, with the problem and its code, and it waits for nothing", () => {
  const failed = view([{ type: "failed", code: "unavailable", problem: "no room" }], SEARCH, {
    waitingFor: "a worker",
  });
  expect(failed).toMatchObject({ state: "failed", problem: "no room", problemCode: "unavailable", waitingFor: "" });
  expect(view([{ type: "cancelled" }])).toMatchObject({ state: "cancelled", problem: "", waitingFor: "" });
  expect(view([], SEARCH, { waitingFor: "a worker" }).waitingFor).toBe("a worker");
});

test("candidates say what they are doing, what they scored and why they failed", () => {
  const { candidates } = view(
    [
      proposed(0),
      proposed(1),
      proposed(2),
      proposed(3),
      ...scored("t0", 0.5),
      { type: "candidateFailed", candidateId: "t1", problem: "overflow" },
      { type: "scored", candidateId: "t2", task: "y", score: scoreOf(0.25) },
    ],
    SEARCH,
    { activities: new Map([["t2", { stage: "evaluating", shardsMerged: 3 }]]) },
  );
  expect(candidates.map(({ id, role, state }) => [id, role, state])).toEqual([
    ["t0", "trial", "scored"],
    ["t1", "trial", "failed"],
    ["t2", "trial", "evaluating"],
    ["t3", "trial", "waiting"],
    ["c0", "comparison", "waiting"],
  ]);
  const [t0, t1, t2] = candidates;
  expect(t0).toMatchObject({ objective: 0.5, coefficients: { "weight[a]": 0.5 }, origin: "sobol" });
  expect(t0?.objectiveStandardError).toBeCloseTo(scoreOf(0.5).standardError / Math.SQRT2, 12);
  expect(t1?.problem).toBe("overflow");
  expect(t2).toMatchObject({ shardsMerged: 3, objective: 0 });
  expect(t2?.scores).toMatchObject([{ task: "y", split: "validation", metric: "accuracy", score: 0.25, items: 1000 }]);
});

test("the final model and the comparisons are scored on the split that confirms", () => {
  const { candidates, recommendedId } = view([
    proposed(0),
    ...scored("t0", 0.5),
    RECOMMENDED,
    ...scored("final", 0.6),
    ...scored("c0", 0.4),
  ]);
  expect(recommendedId).toBe("t0");
  expect(candidates.slice(1)).toMatchObject([
    { id: "c0", role: "comparison", name: "average", objective: 0.4, scores: [{ split: "test" }, { split: "test" }] },
    { id: "final", role: "final", name: "searched fisher", objective: 0.6, scores: [{ split: "test" }, {}] },
  ]);
});

test("every view can be sent", () => {
  const all = view([proposed(0), ...scored("t0", 0.5), RECOMMENDED, written(0), { type: "published" }]);
  expect(toJson(JobViewSchema, all)).toMatchObject({ jobId: "job", state: "done", inputBytes: "300" });
});
