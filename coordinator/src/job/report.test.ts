import { ScoreReportSchema } from "@amalgam/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { Score } from "./events.ts";
import { packResults } from "./item-results.ts";
import { eventsOfReport } from "./report.ts";
import { reduce } from "./state.ts";
import { FACTS, partScore, replay, SPEC, scoreOf } from "./testing/events.ts";

const state = replay([
  { type: "submitted", spec: SPEC },
  { type: "proposed", candidateId: "t0", coefficients: {}, origin: "line" },
]);
type Outcome = NonNullable<Exclude<MessageInitShape<typeof ScoreReportSchema>, { $typeName: string }>["outcome"]>;
const report = (outcome: Outcome, generation = 0) =>
  create(ScoreReportSchema, { candidateId: "t0", task: "a", generation, outcome });

const outcomeOf = ({ perItem, ...score }: Score): Outcome => {
  if (perItem === undefined) return { case: "score", value: score };
  const [kind, text] = Object.entries(perItem)[0] as ["bits" | "float32", string];
  return { case: "score", value: { ...score, perItem: { case: kind, value: Buffer.from(text, "base64") } } };
};

test("a score is recorded once: the same report again records nothing", () => {
  const scored = report(outcomeOf(scoreOf(0.5)));
  const events = eventsOfReport(state, scored);
  expect(events).toEqual([{ type: "scored", candidateId: "t0", task: "a", score: scoreOf(0.5) }]);
  expect(eventsOfReport(events.reduce(reduce, state)!, scored)).toEqual([]);
});

test("what each item brought is recorded as it came, bits and floats alike", () => {
  for (const results of [Uint8Array.of(1, 0), Float32Array.of(0.25, 0.75)]) {
    const score = { ...scoreOf(0.5), items: 2, perItem: packResults(results) };
    expect(eventsOfReport(state, report(outcomeOf(score)))).toEqual([
      { type: "scored", candidateId: "t0", task: "a", score },
    ]);
  }
});

test("a score that no evaluation can have fails the candidate", () => {
  const events = eventsOfReport(state, report(outcomeOf({ ...scoreOf(0.5), loss: Number.NaN })));
  expect(events).toMatchObject([{ type: "candidateFailed", candidateId: "t0" }]);
});

test("an evaluator's failure fails the candidate with its reason", () => {
  const events = eventsOfReport(state, report({ case: "failure", value: { message: "non-finite logits" } }));
  expect(events).toEqual([{ type: "candidateFailed", candidateId: "t0", problem: "task a: non-finite logits" }]);
});

test("an evaluation may be lost five times, under a new generation each time; then the candidate fails", () => {
  let current = state;
  for (let generation = 0; generation < 5; generation++) {
    const lost = report({ case: "shardsLost", value: { shards: [1] } }, generation);
    const events = eventsOfReport(current, lost);
    expect(events).toEqual([{ type: "evaluationLost", candidateId: "t0", task: "a", generation }]);
    current = events.reduce(reduce, current)!;
    expect(eventsOfReport(current, lost)).toEqual([]);
  }
  const last = report({ case: "shardsLost", value: { shards: [1] } }, 5);
  expect(eventsOfReport(current, last)).toMatchObject([{ type: "candidateFailed" }]);
});

test("a report without an outcome, or of a job that has ended, records nothing", () => {
  expect(eventsOfReport(state, report({ case: undefined }))).toEqual([]);
  const ended = reduce(state, { type: "cancelled" });
  expect(eventsOfReport(ended, report(outcomeOf(scoreOf(0.5))))).toEqual([]);
});

test("a score of a part is recorded with its part, when it is the part that comes next", () => {
  const racing = reduce(state, { type: "planned", planDigest: "p", facts: { ...FACTS, looks: [1, 2, 4] } })!;
  const score = partScore(1, 0, 1, 1);
  const first = report(outcomeOf(score));
  const events = eventsOfReport(racing, first);
  const part = { pieces: 4, first: 0, end: 1 };
  expect(events).toEqual([{ type: "scored", candidateId: "t0", task: "a", score, part }]);
  const after = events.reduce(reduce, racing)!;
  expect(eventsOfReport(after, first)).toEqual([]);
  const next = create(ScoreReportSchema, { ...first, firstPiece: 1 });
  expect(eventsOfReport(after, next)).toMatchObject([{ type: "scored", part: { pieces: 4, first: 1, end: 2 } }]);
});
