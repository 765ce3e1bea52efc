import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, FINAL_ID, type Step, trialId } from "./decide.ts";
import { type EstimatesOf, estimateOf, lacking } from "./estimates.ts";
import type { JobEvent } from "./events.ts";
import type { JobFacts } from "./facts.ts";
import { isSettled, type JobState, objective, reduce } from "./state.ts";
import { anyEvent, BASIS, partScore, replay, SPEC, STOPPED, scoreOf } from "./testing/events.ts";

const MERGE: JobFacts = { kind: "merge", trials: 0, parallel: 1, tasks: [], comparisons: [], shards: 3 };
const SEARCH: JobFacts = { kind: "search", trials: 5, parallel: 2, tasks: ["a", "b"], comparisons: ["c0"], shards: 2 };
const submitted = (): JobState => replay([{ type: "submitted", spec: SPEC }]);
const start = (): JobState => replay([{ type: "searchBegun", basis: BASIS }], submitted());

/** What a step does; a step is started once. */
function nameOf(step: Step): string {
  if (step.kind === "evaluate" || step.kind === "giveUp" || step.kind === "endRace")
    return `${step.kind} ${step.candidateId}`;
  return step.kind === "estimate" ? `estimate ${step.estimateId}` : step.kind;
}

/** Two models: one is scaled alike in every second trial, one in all of them; rows have one model's as it is. */
const someEstimates: EstimatesOf = (candidateId) => {
  if (candidateId === "c0") return ["i0.one"];
  if (candidateId.startsWith("c")) return [];
  return [`i0.${candidateId === FINAL_ID ? 1 : Number(candidateId.slice(1)) % 2}`, "i1.same"];
};

const plainFacts: fc.Arbitrary<JobFacts> = fc.record({
  kind: fc.constantFrom("merge" as const, "search" as const),
  trials: fc.integer({ min: 1, max: 7 }),
  parallel: fc.integer({ min: 1, max: 4 }),
  tasks: fc.constantFrom(["a"], ["a", "b"]),
  comparisons: fc.constantFrom([], ["c0"], ["c0", "c1", "c2"]),
  shards: fc.nat(3),
});

const facts = fc.oneof(
  plainFacts,
  plainFacts.map((job) => ({ ...job, looks: [1, 2, 4] })),
);

interface Run {
  readonly state: JobState;
  readonly proposals: readonly { readonly trial: number; readonly tellBefore: number }[];
}

/**
 * Lives a job to its end: at each turn one of the open things happens, chosen by `choices`. A proposal is made at once, as
 * the coordinator does; scores and failures come in any order.
 */
function live(
  job: JobFacts,
  choices: readonly number[],
  fails: (candidateId: string) => boolean,
  estimatesOf: EstimatesOf = () => [],
): Run {
  const proposals: { trial: number; tellBefore: number }[] = [];
  let state = submitted();
  for (let turn = 0; ; turn++) {
    if (turn > 1000) throw new Error("the job does not end");
    if (choices[turn] === 13) state = reduce(state, { type: "estimatesLost" });
    const steps = decide(state, job, estimatesOf);
    if (steps.length === 0) return { state, proposals };
    for (const each of steps) {
      const merged = each.kind === "evaluate" ? each.candidateId : each.kind === "write" ? FINAL_ID : undefined;
      if (merged !== undefined) expect(lacking(state, estimatesOf(merged))).toBeUndefined();
    }
    const names = steps.map(nameOf);
    expect(new Set(names).size).toBe(names.length);
    const step = steps.find(({ kind }) => kind === "propose") ?? steps[(choices[turn] ?? 0) % steps.length]!;
    for (const event of eventsOf(step, state, job, choices[turn] ?? 0, fails)) state = reduce(state, event);
    if (step.kind === "propose") proposals.push({ trial: step.trial, tellBefore: step.tellBefore });
  }
}

function eventsOf(
  step: Step,
  state: JobState,
  job: JobFacts,
  choice: number,
  fails: (candidateId: string) => boolean,
): JobEvent[] {
  switch (step.kind) {
    case "begin":
      return [{ type: "searchBegun", basis: BASIS }];
    case "propose":
      expect(step.trial).toBe(state.trials.length);
      return [{ type: "proposed", candidateId: trialId(step.trial), coefficients: {}, origin: "sobol" }];
    case "evaluate": {
      const { candidateId, tasks } = step;
      expect(tasks.length).toBeGreaterThan(0);
      expect(isSettled(state, candidateId, job.tasks)).toBe(false);
      if (fails(candidateId)) return [{ type: "candidateFailed", candidateId, problem: "broken" }];
      const task = tasks[choice % tasks.length]!;
      const { part } = step;
      if (part === undefined) return [{ type: "scored", candidateId, task, score: scoreOf(0.5) }];
      // Good and bad trials, so that some races are lost; a function of the trial alone.
      const right = Number(candidateId.slice(1)) % 2;
      const results = Array.from({ length: 20 * (part.end - part.first) }, (_, item) =>
        item % 20 ? right : 1 - right,
      );
      return [{ type: "scored", candidateId, task, score: partScore(...results), part }];
    }
    case "estimate": {
      const { estimateId, candidateIds } = step;
      const { generation, isHeld } = estimateOf(state, estimateId);
      expect([isHeld, candidateIds.length > 0]).toEqual([false, true]);
      if (fails(estimateId)) return [{ type: "estimateFailed", estimateId, problem: "NaN" }];
      if (choice % 3 === 1) return [{ type: "estimateLost", estimateId, generation }];
      return [{ type: "estimated", estimateId, sha256: "s", seconds: 1 }];
    }
    case "giveUp":
      return [{ type: "candidateFailed", candidateId: step.candidateId, problem: step.problem }];
    case "endRace": {
      const { kind: _, ...race } = step;
      expect(race.difference).toBeLessThan(0);
      return [{ type: "raceLost", ...race }];
    }
    case "recommend":
      expect(state.trials).toHaveLength(job.trials);
      return [
        {
          type: "recommended",
          candidateId: "t0",
          coefficients: {},
          mean: 0.5,
          standardDeviation: 0.1,
          probabilityBest: 1,
        },
      ];
    case "write":
      return [{ type: "shardWritten", shard: step.shards[choice % step.shards.length]!, segmentSha256: [] }];
    case "publish":
      return [{ type: "published" }];
    case "fail":
      return [{ type: "failed", code: "failed_precondition", problem: step.problem }];
    default:
      return step satisfies never;
  }
}

test("every job ends, whatever comes in whatever order, and no step is named twice", () => {
  fc.assert(
    fc.property(facts, fc.array(fc.nat()), fc.array(fc.nat(6)), (job, choices, failing) => {
      const fails = (id: string): boolean => failing.some((trial) => id === trialId(trial)) || id === "c0";
      const { state } = live(job, choices, fails);
      const doomed = job.kind === "search" && state.trials.every(({ candidateId }) => fails(candidateId));
      expect(state.end?.kind).toBe(doomed ? "failed" : "published");
      if (doomed) return;
      expect(state.written.size).toBe(job.shards);
      if (job.kind === "merge") return;
      expect(state.trials).toHaveLength(job.trials);
      for (const id of [FINAL_ID, ...job.comparisons]) expect(isSettled(state, id, job.tasks)).toBe(true);
    }),
  );
});

test("nothing is merged before its estimates are held, whichever are lost and however often", () => {
  fc.assert(
    fc.property(facts, fc.array(fc.nat(20), { minLength: 20 }), (job, choices) => {
      const { state } = live(job, choices, () => false, someEstimates);
      expect(state.end?.kind).toBe("published");
      expect(state.written.size).toBe(job.shards);
      if (job.kind === "merge") return;
      for (const id of [FINAL_ID, ...job.comparisons]) expect(isSettled(state, id, job.tasks)).toBe(true);
    }),
  );
});

test("an estimate that cannot be made fails the trials that need it, with the reason, and the search goes on", () => {
  fc.assert(
    fc.property(plainFacts, fc.array(fc.nat(20)), (job, choices) => {
      fc.pre(job.kind === "search" && job.trials > 1);
      const { state } = live(job, choices, (id) => id === "i0.0", someEstimates);
      expect(state.end?.kind).toBe("published");
      const failed = state.trials.map(({ candidateId }) => candidateId).filter((_, trial) => trial % 2 === 0);
      expect(new Map(state.failures)).toEqual(new Map(failed.map((id) => [id, "NaN"])));
    }),
  );
});

test("a merge whose importance cannot be estimated fails with the reason", () => {
  const { state } = live(MERGE, [], (id) => id === "i1.same", someEstimates);
  expect(state.end).toEqual({ kind: "failed", code: "failed_precondition", problem: "NaN" });
});

test("an estimate that two trials share is one step, which names both", () => {
  const events: JobEvent[] = [0, 1].map((trial) => {
    return { type: "proposed", candidateId: trialId(trial), coefficients: {}, origin: "sobol" };
  });
  expect(decide(replay(events, start()), SEARCH, someEstimates)).toEqual([
    { kind: "estimate", estimateId: "i0.0", candidateIds: ["t0"] },
    { kind: "estimate", estimateId: "i1.same", candidateIds: ["t0", "t1"] },
    { kind: "estimate", estimateId: "i0.1", candidateIds: ["t1"] },
  ]);
});

test("what is told before each proposal is the same for every order of arrival", () => {
  fc.assert(
    fc.property(facts, fc.array(fc.nat(), { minLength: 30 }), fc.array(fc.nat(6)), (job, choices, failing) => {
      const fails = (id: string): boolean => failing.some((trial) => id === trialId(trial));
      const expected = Array.from({ length: job.kind === "search" ? job.trials : 0 }, (_, trial) => ({
        trial,
        tellBefore: Math.max(0, trial - job.parallel + 1),
      }));
      expect(live(job, choices, fails).proposals).toEqual(expected);
      expect(live(job, choices.toReversed(), fails).proposals).toEqual(expected);
    }),
  );
});

test("a trial is proposed exactly when those it builds on are settled, and not more than `parallel` are in flight", () => {
  fc.assert(
    fc.property(facts, fc.array(anyEvent), (job, events) => {
      const state = replay(events, start());
      const steps = decide(state, { ...job, kind: "search" });
      const known = state.trials.length;
      const ready = state.trials
        .slice(0, Math.max(0, known - job.parallel + 1))
        .every(({ candidateId }) => isSettled(state, candidateId, job.tasks));
      const proposal = steps.find(({ kind }) => kind === "propose");
      const isOpen = state.end === undefined && state.basis !== undefined && state.stopped === undefined;
      expect(proposal !== undefined).toBe(isOpen && known < job.trials && ready);
    }),
  );
});

test("of trials in flight only the tasks without a score are evaluated", () => {
  let state = start();
  expect(decide(state, SEARCH)).toEqual([{ kind: "propose", trial: 0, tellBefore: 0 }]);
  const propose = (candidateId: string): void => {
    state = reduce(state, { type: "proposed", candidateId, coefficients: {}, origin: "sobol" });
  };
  const score = (candidateId: string, task: string): void => {
    state = reduce(state, { type: "scored", candidateId, task, score: scoreOf(0.5) });
  };
  propose("t0");
  expect(decide(state, SEARCH)).toEqual([
    { kind: "evaluate", candidateId: "t0", tasks: ["a", "b"] },
    { kind: "propose", trial: 1, tellBefore: 0 },
  ]);
  propose("t1");
  score("t1", "a");
  score("t1", "b");
  score("t0", "b");
  // Trial 2 builds on trial 0, which is slow; that trial 1 is in does not help.
  expect(decide(state, SEARCH)).toEqual([{ kind: "evaluate", candidateId: "t0", tasks: ["a"] }]);
  score("t0", "a");
  expect(decide(state, SEARCH)).toEqual([{ kind: "propose", trial: 2, tellBefore: 1 }]);
});

test("a trial that loses to the best one before it is not scored further, and keeps the score it has", () => {
  const racing: JobFacts = { ...SEARCH, parallel: 1, tasks: ["a"], looks: [1, 2] };
  const propose = (candidateId: string): JobEvent => ({
    type: "proposed",
    candidateId,
    coefficients: {},
    origin: "sobol",
  });
  const scored = (candidateId: string, first: number, right: number): JobEvent => {
    const score = partScore(...Array.from({ length: 10 }, () => right));
    return { type: "scored", candidateId, task: "a", score, part: { pieces: 2, first, end: first + 1 } };
  };
  const second = { pieces: 2, first: 1, end: 2 };
  // Nobody to race against: the first trial is scored on everything.
  const first = replay([propose("t0"), scored("t0", 0, 1)], start());
  expect(decide(first, racing)).toEqual([{ kind: "evaluate", candidateId: "t0", tasks: ["a"], part: second }]);
  const known = replay([scored("t0", 1, 1), propose("t1"), scored("t1", 0, 0)], first);
  const [lost, ...others] = decide(known, racing);
  expect(others).toEqual([]);
  expect(lost).toMatchObject({ kind: "endRace", candidateId: "t1", against: "t0", difference: -1 });
  const { kind: _, ...race } = lost as Extract<Step, { kind: "endRace" }>;
  const ended = reduce(known, { type: "raceLost", ...race });
  expect(isSettled(ended, "t1", ["a"])).toBe(true);
  expect(objective(ended, "t1", ["a"])).toMatchObject({ value: 0 });
  expect(decide(ended, racing)).toEqual([{ kind: "propose", trial: 2, tellBefore: 2 }]);
  // An equal goes on to the end.
  const equal = replay([propose("t2"), scored("t2", 0, 1)], ended);
  expect(decide(equal, racing)).toEqual([{ kind: "evaluate", candidateId: "t2", tasks: ["a"], part: second }]);
  expect(isSettled(reduce(equal, scored("t2", 1, 1)), "t2", ["a"])).toBe(true);
});

test("a merge writes the shards that are missing, then publishes, then is done", () => {
  let state = start();
  expect(decide(state, MERGE)).toEqual([{ kind: "write", shards: [0, 1, 2] }]);
  state = reduce(state, { type: "shardWritten", shard: 1, segmentSha256: [] });
  expect(decide(state, MERGE)).toEqual([{ kind: "write", shards: [0, 2] }]);
  for (const shard of [0, 2]) state = reduce(state, { type: "shardWritten", shard, segmentSha256: [] });
  expect(decide(state, MERGE)).toEqual([{ kind: "publish" }]);
  expect(decide(reduce(state, { type: "stagingLost" }), MERGE)).toEqual([{ kind: "write", shards: [0, 1, 2] }]);
  expect(decide(reduce(state, { type: "published" }), MERGE)).toEqual([]);
  expect(decide(reduce(state, { type: "cancelled" }), MERGE)).toEqual([]);
});

test("models that the search is measured against are scored before it begins, and it does not begin without one", () => {
  const experts = [
    { id: "e0", name: "a" },
    { id: "e1", name: "b" },
    { id: "e2", name: "c" },
  ];
  const job: JobFacts = { ...SEARCH, tasks: ["a"], experts };
  const scored = (candidateId: string): JobEvent => ({ type: "scored", candidateId, task: "a", score: scoreOf(0.5) });
  const evaluate = (candidateId: string): Step => ({ kind: "evaluate", candidateId, tasks: ["a"] });
  expect(decide(submitted(), job)).toEqual([evaluate("e0"), evaluate("e1")]);
  const some = replay([scored("e0"), scored("e2")], submitted());
  expect(decide(some, job)).toEqual([evaluate("e1")]);
  expect(decide(reduce(some, scored("e1")), job)).toEqual([{ kind: "begin" }]);
  const failed = reduce(some, { type: "candidateFailed", candidateId: "e1", problem: "no such file" });
  expect(decide(failed, job)).toEqual([
    { kind: "fail", problem: "the search is measured against b, which cannot be scored: no such file" },
  ]);
  const resumed = reduce(reduce(failed, { type: "cancelled" }), { type: "resumed", spec: SPEC });
  expect(decide(resumed, job)).toEqual([evaluate("e1")]);
});

test("a search that stops early finishes the trials in flight, and then recommends", () => {
  const proposed = (candidateId: string): JobEvent => {
    return { type: "proposed", candidateId, coefficients: {}, origin: "sobol" };
  };
  const scored = (candidateId: string): JobEvent => ({ type: "scored", candidateId, task: "a", score: scoreOf(0.5) });
  const job: JobFacts = { ...SEARCH, tasks: ["a"] };
  const state = replay([proposed("t0"), proposed("t1"), scored("t0")], start());
  expect(decide(state, job)).toContainEqual({ kind: "propose", trial: 2, tellBefore: 1 });
  const stopped = reduce(state, { type: "searchStopped", report: STOPPED });
  expect(decide(stopped, job)).toEqual([{ kind: "evaluate", candidateId: "t1", tasks: ["a"] }]);
  expect(decide(reduce(stopped, scored("t1")), job)).toEqual([{ kind: "recommend" }]);
});

test("the reasons of a search that cannot go on are said", () => {
  const one: JobFacts = { ...SEARCH, trials: 1 };
  const proposed: JobEvent = { type: "proposed", candidateId: "t0", coefficients: {}, origin: "sobol" };
  const failed = replay([proposed, { type: "candidateFailed", candidateId: "t0", problem: "no room" }], start());
  expect(decide(failed, one)).toEqual([{ kind: "fail", problem: "every trial failed; the first because: no room" }]);
  const recommended = replay(
    [
      proposed,
      { type: "scored", candidateId: "t0", task: "a", score: scoreOf(1) },
      { type: "scored", candidateId: "t0", task: "b", score: scoreOf(1) },
      { type: "recommended", candidateId: "t0", coefficients: {}, mean: 1, standardDeviation: 0, probabilityBest: 1 },
      { type: "candidateFailed", candidateId: FINAL_ID, problem: "no such split" },
    ],
    start(),
  );
  expect(decide(recommended, one)).toEqual([
    { kind: "fail", problem: "the recommended model cannot be scored: no such split" },
  ]);
});
