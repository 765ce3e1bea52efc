import { expect, test } from "vitest";
import { compareCandidates } from "./confirm.ts";
import type { JobEvent, Score } from "./events.ts";
import { partScore, replay, SPEC, scoreOf } from "./testing/events.ts";

const scored = (candidateId: string, task: string, score: Score): JobEvent => ({
  type: "scored",
  candidateId,
  task,
  score,
});
const state = replay([
  { type: "submitted", spec: SPEC },
  scored("final", "a", partScore(1, 1, 0, 1)),
  scored("final", "b", partScore(1, 0)),
  scored("c0", "a", partScore(0, 1, 0, 1)),
  scored("c0", "b", partScore(1, 0)),
  scored("c1", "a", scoreOf(0.5)),
  scored("c1", "b", scoreOf(0.5)),
  scored("c2", "a", partScore(1, 1)),
  scored("c2", "b", partScore(1, 1)),
]);

test("two rows of the final table are compared item by item", () => {
  const found = compareCandidates(state, "final", "c0", ["a", "b"])!;
  expect(found.difference).toBe(0.125);
  expect(compareCandidates(state, "c0", "final", ["a", "b"])!.difference).toBe(-0.125);
  expect(found.standardError).toBeGreaterThan(0);
});

test("nothing is said of candidates whose items are not known, not the same, or not all scored", () => {
  expect(compareCandidates(state, "final", "c1", ["a", "b"])).toBeUndefined();
  expect(compareCandidates(state, "final", "c2", ["a", "b"])).toBeUndefined();
  expect(compareCandidates(state, "final", "c0", ["a", "b", "c"])).toBeUndefined();
  expect(compareCandidates(state, "final", "c0", [])).toBeUndefined();
});
