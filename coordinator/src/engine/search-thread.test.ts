import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Worker } from "node:worker_threads";
import type { StudyEvent } from "@amalgam/optimizer";
import { createLogger, poll } from "@amalgam/runtime";
import { afterEach, expect, test, vi } from "vitest";
import type { SearchBasis } from "../job/events.ts";
import { createProposer, type Proposed } from "./proposer.ts";
import { createSearchThread, type SearchThread } from "./search-thread.ts";

/** The threads that were started, so that they can be killed. */
const threads = vi.hoisted(() => [] as Worker[]);
vi.mock("node:worker_threads", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:worker_threads")>();
  class Recorded extends original.Worker {
    constructor(...args: ConstructorParameters<typeof original.Worker>) {
      super(...args);
      threads.push(this);
    }
  }
  return { ...original, Worker: Recorded };
});
afterEach(() => void threads.splice(0));

const BASIS: SearchBasis = {
  proposer: "study",
  spec: {
    dimensions: ["a", "b", "c"].map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const),
    seed: 3,
    metrics: ["x", "y"],
  },
  events: [],
  stopsEarly: false,
};

/** A study of `trials` scored trials on a hill. */
function history(trials: number): StudyEvent[] {
  const events: StudyEvent[] = [];
  for (let id = 0; id < trials; id++) {
    const values = { a: (id * 0.618) % 1, b: (id * 0.414) % 1, c: (id * 0.732) % 1 };
    const height = 1 - (values.a - 0.3) ** 2 - (values.b - 0.6) ** 2 - 0.1 * values.c;
    const outcome = { values: [height, height / 2], standardErrors: [0.01, 0.01] };
    events.push({ type: "ask", id, values, origin: "sobol" }, { type: "tell", id, ...outcome });
  }
  return events;
}

const open = (): SearchThread => createSearchThread(BASIS, createLogger({ role: "test", level: "silent" }));
const DEADLINE_MS = 20_000;

test("the thread proposes what the study proposes, with its record, and goes on from there", async () => {
  const events = history(12);
  const proposer = createProposer(BASIS, events);
  await using thread = open();
  for (const _ of [1, 2]) {
    const proposed = await thread.answer(events, "propose");
    expect(proposed).toEqual(proposer.propose());
    const { event } = proposed as Extract<Proposed, { kind: "trial" }>;
    expect(event.origin).toBe("model");
    const told: StudyEvent = { type: "tell", id: event.id, values: [0.7, 0.3] };
    proposer.apply(told);
    events.push(event, told);
  }
  expect(await thread.answer(events, "recommend")).toEqual(proposer.recommend());
  expect(threads).toHaveLength(1);
});

test("a thread that is killed while it computes, or between two questions, is replaced, and the answer is the same", async () => {
  const events = history(40);
  const expected = createProposer(BASIS, events).propose();
  await using thread = open();
  const answer = thread.answer(events, "propose");
  await threads[0]!.terminate();
  expect(await answer).toEqual(expected);
  await threads[1]!.terminate();
  expect(await thread.answer(events, "propose")).toEqual(expected);
  expect(threads).toHaveLength(3);
});

test("a thread that dies again is one clear error", async () => {
  await using thread = open();
  const failure = thread.answer(history(40), "propose").catch((error: unknown) => error);
  for (const dying of [0, 1]) {
    await poll(() => threads.length > dying, { what: "the next thread", timeoutMs: DEADLINE_MS });
    await threads[dying]!.terminate();
  }
  expect(await failure).toMatchObject({
    code: "internal",
    message: expect.stringContaining("the optimizer's thread died 2 times when asked to propose"),
  });
});

test("closing ends the thread and what it is asked", async () => {
  const thread = open();
  const failure = thread.answer(history(40), "propose").catch((error: unknown) => error);
  await thread[Symbol.asyncDispose]();
  expect(await failure).toMatchObject({ code: "cancelled" });
  await expect(thread.answer([], "propose")).rejects.toMatchObject({ code: "cancelled" });
  expect(threads.map(({ threadId }) => threadId)).toEqual([-1]);
});

test("events that contradict each other are refused with what is wrong", async () => {
  await using thread = open();
  await expect(thread.answer([{ type: "tell", id: 5, values: [1, 1] }], "propose")).rejects.toMatchObject({
    code: "failed_precondition",
    message: expect.stringContaining("trial 5 was never asked for"),
  });
});

test("this thread goes on while the optimizer computes", async ({ annotate }) => {
  await using thread = open();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let turns = 0;
  const turn = (): void => {
    turns++;
    again = setImmediate(turn);
  };
  let again = setImmediate(turn);
  delay.enable();
  await thread.answer(history(80), "propose");
  delay.disable();
  clearImmediate(again);
  expect(turns).toBeGreaterThan(10);
  await annotate(`longest pause of the event loop: ${(delay.max / 1e6).toFixed(1)} ms`);
});
