import fc from "fast-check";
import { expect, test } from "vitest";
import type { JobEvent } from "./events.ts";
import { generationOf, isSettled, type JobState, objective, reduce } from "./state.ts";
import { anyEvent, FACTS, replay, SPEC, scoreOf } from "./testing/events.ts";

const SUBMITTED: JobEvent = { type: "submitted", spec: SPEC };
const proposed = (candidateId: string): JobEvent => ({
  type: "proposed",
  candidateId,
  coefficients: { x: 1 },
  origin: "sobol",
});
const scored = (candidateId: string, task: string, accuracy = 0.5): JobEvent => ({
  type: "scored",
  candidateId,
  task,
  score: scoreOf(accuracy),
});
const failed = (candidateId: string): JobEvent => ({ type: "candidateFailed", candidateId, problem: "broken" });

test("a journal read back in two parts, as JSON, gives the state that was lived through", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), fc.nat(), (events, at) => {
      const lived = replay([SUBMITTED, ...events]);
      const read = JSON.parse(JSON.stringify(events)) as JobEvent[];
      const cut = at % (events.length + 1);
      const before = replay([SUBMITTED, ...read.slice(0, cut)]);
      expect(replay(read.slice(cut), before)).toEqual(lived);
    }),
  );
});

test("a fact that is reported a second time, whenever, changes nothing", () => {
  const repeatable: readonly JobEvent["type"][] = [
    "submitted",
    "searchBegun",
    "proposed",
    "searchStopped",
    "scored",
    "candidateFailed",
    "recommended",
    "shardWritten",
  ];
  // A later part of the items that came before the first one was no fact yet.
  const isPremature = (event: JobEvent): boolean => event.type === "scored" && (event.part?.first ?? 0) > 0;
  const news = anyEvent.filter((event) => repeatable.includes(event.type) && !isPremature(event));
  fc.assert(
    fc.property(fc.array(anyEvent), news, fc.array(news), (before, event, between) => {
      const state = replay([SUBMITTED, ...before, event, ...between]);
      expect(reduce(state, event)).toBe(state);
    }),
  );
});

test("events never change the states before them", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), anyEvent, (events, event) => {
      const state = replay([SUBMITTED, ...events]);
      const copy = structuredClone(state);
      reduce(state, event);
      expect(state).toEqual(copy);
    }),
  );
});

test("a journal begins with its submission", () => {
  expect(() => reduce(undefined, { type: "published" })).toThrow('begins with "submitted", not with "published"');
  expect(() => reduce(replay([SUBMITTED]), { type: "of the future" } as never)).toThrow("unknown journal event");
});

test("the first score of a task is the one that counts, and a candidate that failed gets none", () => {
  const state = replay([SUBMITTED, proposed("t0"), scored("t0", "a", 0.25), scored("t0", "a", 0.75)]);
  expect(objective(state, "t0", ["a"])?.value).toBe(0.25);
  const late = replay([failed("t0"), scored("t0", "b", 0.9)], state);
  expect(late.failures.get("t0")).toBe("broken");
  expect(isSettled(late, "t0", ["a", "b"])).toBe(true);
  expect(objective(late, "t0", ["a", "b"])).toBeUndefined();
});

test("the objective is the mean accuracy; the errors of its tasks add in squares", () => {
  const state = replay([SUBMITTED, scored("t0", "a", 0.2), scored("t0", "b", 0.8)]);
  const { standardError } = scoreOf(0.2);
  expect(objective(state, "t0", ["a", "b"])).toEqual({
    value: 0.5,
    standardError: expect.closeTo(standardError / Math.SQRT2, 12),
  });
  expect(objective(state, "t0", ["a", "b", "c"])).toBeUndefined();
  expect(objective(state, "t0", [])).toBeUndefined();
  expect(objective(state, "t1", ["a"])).toBeUndefined();
});

test("the first end is the end, but for a model that was published after all", () => {
  const cancelled = replay([SUBMITTED, { type: "cancelled" }]);
  expect(reduce(cancelled, { type: "failed", code: "internal", problem: "late" }).end).toEqual({ kind: "cancelled" });
  expect(reduce(cancelled, { type: "published" }).end).toEqual({ kind: "published" });
});

const lost = (generation: number): JobEvent => ({ type: "evaluationLost", candidateId: "t0", task: "a", generation });

test("a lost evaluation is published under the next generation, however often its loss is reported", () => {
  const state = replay([SUBMITTED, proposed("t0"), lost(0), lost(0), lost(7)]);
  expect(generationOf(state, "t0", "a")).toBe(1);
  expect(generationOf(state, "t0", "b")).toBe(0);
  expect(generationOf(reduce(state, lost(1)), "t0", "a")).toBe(2);
});

test("generations of a new life of the job are larger than any before", () => {
  const lives = fc.constantFrom<JobEvent>(
    { type: "resumed", spec: SPEC },
    { type: "restarted", reason: "again", spec: SPEC },
  );
  fc.assert(
    fc.property(fc.array(anyEvent), lives, (events, life) => {
      const before = replay([SUBMITTED, ...events]);
      const after = reduce(before, life);
      const used = ["t0", "t1", "c0", "final"].flatMap((id) =>
        ["a", "b"].map((task) => generationOf(before, id, task)),
      );
      expect(after.firstGeneration).toBeGreaterThan(Math.max(...used));
      expect(generationOf(after, "t0", "a")).toBe(after.firstGeneration);
    }),
  );
});

test("a job that is resumed keeps trials, scores and staged shards, and takes the options asked for now", () => {
  const state = replay([
    SUBMITTED,
    proposed("t0"),
    proposed("t1"),
    scored("t0", "a"),
    failed("t1"),
    { type: "shardWritten", shard: 0, segmentSha256: ["x"] },
    { type: "failed", code: "already_exists", problem: "the output exists" },
    { type: "resumed", spec: { ...SPEC, overwrite: true } },
  ]);
  expect(state.end).toBeUndefined();
  expect(state.spec.overwrite).toBe(true);
  expect(state.trials).toHaveLength(2);
  expect(isSettled(state, "t0", ["a"])).toBe(true);
  expect(state.failures.get("t1")).toBe("broken");
  expect(state.written.size).toBe(1);
});

test("what failed at the end is tried again when the job is resumed", () => {
  const state = replay([
    SUBMITTED,
    proposed("t0"),
    scored("t0", "a"),
    failed("final"),
    failed("c0"),
    { type: "resumed", spec: SPEC },
  ]);
  expect([...state.failures.keys()]).toEqual([]);
  expect(isSettled(state, "t0", ["a"])).toBe(true);
});

test("a job of which every trial failed begins its search anew when it is resumed", () => {
  const state: JobState = replay([
    SUBMITTED,
    { type: "planned", planDigest: "p", facts: FACTS },
    proposed("t0"),
    scored("t0", "a"),
    failed("t0"),
    { type: "resumed", spec: SPEC },
  ]);
  expect(state).toMatchObject({ trials: [], planDigest: "p" });
  expect(state.failures.size + state.scores.size).toBe(0);
});

test("a job that is restarted remembers nothing but what it is", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), (events) => {
      const spec = { ...SPEC, recipe: "new" };
      const state = replay([SUBMITTED, ...events, { type: "restarted", reason: "inputs", spec }]);
      expect({ ...state, firstGeneration: 0, estimateGeneration: 0 }).toEqual(replay([{ type: "submitted", spec }]));
    }),
  );
});
