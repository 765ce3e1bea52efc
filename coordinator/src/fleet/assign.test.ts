import fc from "fast-check";
import { expect, test } from "vitest";
import { assign, canMerge, type WaitingTask, type WorkerLoad } from "./assign.ts";

const workers: fc.Arbitrary<WorkerLoad[]> = fc.uniqueArray(
  fc.record({
    workerId: fc.constantFrom("a", "b", "c", "d"),
    slots: fc.integer({ min: 1, max: 4 }),
    backend: fc.constantFrom("wasm", "webgpu"),
    free: fc.nat(4),
    bytes: fc.nat(1000),
  }),
  { selector: ({ workerId }) => workerId },
);
const tasks: fc.Arbitrary<WaitingTask[]> = fc
  .array(
    fc.record({
      home: fc.nat(9),
      avoid: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
      backend: fc.constantFrom("wasm", "webgpu"),
    }),
  )
  .map((list) =>
    list.map(({ home, ...task }, index) => ({ key: `${index}`, home: `h${home}`, bytes: 10 * home, ...task })),
  );
const owners = fc.dictionary(
  fc.nat(9).map((home) => `h${home}`),
  fc.constantFrom("a", "b", "c", "gone"),
);

test("no worker gets more than it has free, or what it must not get, and no task is given twice", () => {
  fc.assert(
    fc.property(tasks, workers, owners, (waiting, loads, owner) => {
      const given = assign(waiting, loads, (home) => owner[home]);
      expect(new Set(given.map(({ key }) => key)).size).toBe(given.length);
      for (const { workerId, free } of loads) {
        expect(given.filter((each) => each.workerId === workerId).length).toBeLessThanOrEqual(free);
      }
      for (const { key, workerId } of given) {
        expect(loads.map((load) => load.workerId)).toContain(workerId);
        expect(waiting[Number(key)]?.avoid).not.toBe(workerId);
        const { backend } = loads.find((load) => load.workerId === workerId)!;
        expect(["wasm", backend]).toContain(waiting[Number(key)]?.backend);
      }
    }),
  );
});

test("a task waits beside a free worker only for a busy owner that would have no more than its share", () => {
  fc.assert(
    fc.property(tasks, workers, owners, (waiting, loads, owner) => {
      const given = assign(waiting, loads, (home) => owner[home]);
      const isGiven = (key: string): boolean => given.some((each) => each.key === key);
      const idle = loads.filter(
        ({ workerId, free }) => given.filter((each) => each.workerId === workerId).length < free,
      );
      const known = new Set([
        ...Object.keys(owner).filter((home) => loads.some(({ workerId }) => workerId === owner[home])),
        ...given.map(({ key }) => waiting[Number(key)]?.home),
      ]);
      for (const { key, home, avoid, backend } of waiting) {
        if (isGiven(key) || idle.every((load) => load.workerId === avoid || !canMerge(load, backend))) continue;
        expect(known).toContain(home);
      }
    }),
  );
});

test("a task goes to the worker that has its inputs while that one is free", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 }), (ownerOfTask) => {
      const loads = ["a", "b", "c"].map((workerId) => ({ workerId, backend: "wasm", slots: 12, free: 12, bytes: 0 }));
      const waiting = ownerOfTask.map((_, index) => ({
        key: `${index}`,
        home: `h${index}`,
        bytes: 1,
        backend: "wasm",
      }));
      const given = assign(waiting, loads, (home) => ownerOfTask[Number(home.slice(1))]);
      expect(given.map(({ workerId }) => workerId)).toEqual(ownerOfTask);
    }),
  );
});

test("new homes spread evenly by bytes, and by slots", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 }), (count, homes) => {
      const loads = Array.from({ length: count }, (_, index) => ({
        workerId: `w${index}`,
        backend: "wasm",
        slots: 1 + (index % 2),
        free: 1000,
        bytes: 0,
      }));
      const waiting = Array.from({ length: homes }, (_, index) => ({
        key: `${index}`,
        home: `h${index}`,
        bytes: 7,
        backend: "wasm",
      }));
      const given = assign(waiting, loads, () => undefined);
      expect(given).toHaveLength(homes);
      const perSlot = loads.map(({ workerId, slots }) => {
        return given.filter((each) => each.workerId === workerId).length / slots;
      });
      expect(Math.max(...perSlot) - Math.min(...perSlot)).toBeLessThanOrEqual(1);
    }),
  );
});

test("tasks of one home go to one worker", () => {
  const loads = ["a", "b"].map((workerId) => ({ workerId, backend: "wasm", slots: 4, free: 4, bytes: 0 }));
  const waiting = Array.from({ length: 6 }, (_, index) => ({
    key: `${index}`,
    home: `h${index % 2}`,
    bytes: 1,
    backend: "wasm",
  }));
  const given = assign(waiting, loads, () => undefined);
  expect(given.map(({ workerId }) => workerId)).toEqual(["a", "b", "a", "b", "a", "b"]);
});

test("a worker that joins late takes homes over until it has its share, and then they stay", () => {
  const owner = new Map(Array.from({ length: 8 }, (_, home) => [`h${home}`, "old"]));
  for (let round = 0; round < 5; round++) {
    // All shards of one candidate, with an owner that takes one at a time.
    const waiting = [...owner.keys()].map((home) => ({ key: home, home, bytes: 1, backend: "wasm" }));
    const bytesOf = (workerId: string): number => [...owner.values()].filter((each) => each === workerId).length;
    for (let open = waiting; open.length > 0; ) {
      const loads = ["new", "old"].map((workerId) => ({
        workerId,
        backend: "wasm",
        slots: 1,
        free: 1,
        bytes: bytesOf(workerId),
      }));
      const given = assign(open, loads, (home) => owner.get(home));
      expect(given.length).toBeGreaterThan(0);
      for (const { key, workerId } of given) owner.set(key, workerId);
      open = open.filter(({ key }) => given.every((each) => each.key !== key));
    }
    expect(bytesOf("new")).toBe(4);
  }
});
