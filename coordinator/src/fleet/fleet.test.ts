import { expect, test } from "vitest";
import {
  connectTestWorker,
  createTestFleet,
  heartbeat,
  LEASE_MS,
  LEAVING,
  leaseFailed,
  mergeDone,
  settled,
  type TestTask,
  testTask,
} from "./testing/fleet.ts";

const shardsOf = (leases: readonly { readonly shard?: { readonly index: number } | undefined }[]): unknown[] =>
  leases.map(({ shard }) => shard?.index);

function submit(fleet: { submit(task: TestTask): void }, ...shards: number[]): TestTask[] {
  const tasks = shards.map((shard) => testTask(shard));
  for (const task of tasks) fleet.submit(task);
  return tasks;
}

test("a worker is welcomed, gets as many leases as it has slots, and the next when one is done", async () => {
  const { fleet, attempts, changes } = createTestFleet();
  const tasks = submit(fleet, 0, 1, 2);
  await settled();
  const worker = connectTestWorker(fleet, "a");
  await settled();
  expect(worker.messages).toMatchObject([{ case: "welcome", value: { epoch: 3n, leaseMs: 1000, heartbeatMs: 250 } }]);
  expect(shardsOf(worker.leases)).toEqual([0, 1]);
  expect(worker.leases[0]).toMatchObject({ epoch: 3n, attempt: 1, jobId: "job", keepInputs: true });
  expect(fleet.slots).toEqual({ used: 2, total: 2 });
  const before = changes.count;
  worker.merged(worker.leases[1]!);
  await settled();
  expect(shardsOf(worker.leases)).toEqual([0, 1, 2]);
  expect(tasks.map(({ results }) => results.length)).toEqual([0, 1, 0]);
  expect(attempts).toMatchObject({ done: 1 });
  expect(changes.count).toBeGreaterThan(before);
  expect(fleet.held("job", "t0", 1)).toMatchObject({
    workerId: "a",
    address: "local:a",
    sha256: "t0/1",
    byteLength: 10,
  });
});

test("a lease whose given inputs are gone is tried by nobody else, and says what is lost", async () => {
  const { fleet } = createTestFleet();
  const [task] = submit(fleet, 0);
  const [a, b] = [connectTestWorker(fleet, "a"), connectTestWorker(fleet, "b")];
  await settled();
  a.say(leaseFailed(a.leases[0]!, "unavailable", ["d1", "d2"]));
  await settled();
  expect(task!.errors).toMatchObject([{ code: "aborted", lost: ["d1", "d2"] }]);
  expect([a.leases.length, b.leases.length]).toEqual([1, 0]);
});

test("the task of a worker that was lost goes to another, as the next attempt", async () => {
  const { fleet, attempts } = createTestFleet();
  const [task] = submit(fleet, 0);
  const [a, b] = [connectTestWorker(fleet, "a"), connectTestWorker(fleet, "b")];
  await settled();
  expect([a.leases.length, b.leases.length]).toEqual([1, 0]);
  a.close();
  await settled();
  expect(b.leases).toMatchObject([{ attempt: 2 }]);
  expect(b.leases[0]?.leaseId).not.toBe(a.leases[0]?.leaseId);
  b.merged(b.leases[0]!);
  expect(task?.results).toHaveLength(1);
  expect(attempts).toEqual({ done: 1, failed: 0, lost: 1, stale: 0 });
});

test("a task that every worker loses fails once, with the last reason", async () => {
  const { fleet } = createTestFleet();
  const [task] = submit(fleet, 7);
  for (let attempt = 1; attempt <= 5; attempt++) {
    const worker = connectTestWorker(fleet, `w${attempt}`);
    await settled();
    expect(worker.leases).toHaveLength(attempt <= 3 ? 1 : 0);
    worker.close();
  }
  expect(task?.errors.map(({ code, message }) => [code, message])).toEqual([
    ["unavailable", "the worker w3 was lost while it had the lease (shard 7 was tried 3 times)"],
  ]);
});

test("a failure that may pass is tried at once elsewhere, and later where it happened", async () => {
  const { fleet, clock, attempts } = createTestFleet();
  const [task] = submit(fleet, 0);
  const a = connectTestWorker(fleet, "a");
  await settled();
  a.say(leaseFailed(a.leases[0]!, "resource_exhausted"));
  await settled();
  expect(a.leases).toHaveLength(1);
  const b = connectTestWorker(fleet, "b");
  await settled();
  expect(b.leases).toMatchObject([{ attempt: 2 }]);
  b.say(leaseFailed(b.leases[0]!, "aborted"));
  b.close();
  await settled();
  // The last failure was on b: a may have it again.
  expect(a.leases).toMatchObject([{ attempt: 1 }, { attempt: 3 }]);
  a.say(leaseFailed(a.leases[1]!, "aborted"));
  clock.now += LEASE_MS;
  await settled();
  expect(task?.errors).toMatchObject([{ code: "unavailable", message: "it said aborted (shard 0 was tried 3 times)" }]);
  expect(attempts).toEqual({ done: 0, failed: 3, lost: 0, stale: 0 });
});

test("a lone worker gets its failed task again after a while", async () => {
  const { fleet, clock } = createTestFleet();
  submit(fleet, 0);
  const a = connectTestWorker(fleet, "a");
  await settled();
  a.say(leaseFailed(a.leases[0]!, "internal"));
  clock.now += 100;
  fleet.tick();
  await settled();
  expect(a.leases).toHaveLength(1);
  clock.now += 200;
  fleet.tick();
  await settled();
  expect(a.leases).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
});

test("a failure that is the job's own is final at once", async () => {
  for (const code of ["invalid_argument", "out_of_range", "failed_precondition", "not_found"]) {
    const { fleet } = createTestFleet();
    const [task] = submit(fleet, 0);
    const worker = connectTestWorker(fleet, "a");
    await settled();
    worker.say(leaseFailed(worker.leases[0]!, code));
    await settled();
    expect(worker.leases).toHaveLength(1);
    expect(task?.errors).toMatchObject([{ code, message: `it said ${code}` }]);
  }
});

test("answers to leases that ended are ignored and counted", async () => {
  const { fleet, attempts } = createTestFleet();
  const [task] = submit(fleet, 0);
  const [a, b] = [connectTestWorker(fleet, "a"), connectTestWorker(fleet, "b")];
  await settled();
  a.close();
  await settled();
  a.merged(a.leases[0]!);
  expect(task?.results).toHaveLength(0);
  expect(fleet.held("job", "t0", 0)).toBeUndefined();
  // Nobody answers for another's lease.
  b.merged(a.leases[0]!);
  b.merged(b.leases[0]!);
  b.merged(b.leases[0]!);
  b.say(leaseFailed(b.leases[0]!, "internal"));
  expect(task?.results).toHaveLength(1);
  expect(task?.errors).toHaveLength(0);
  expect(attempts).toEqual({ done: 1, failed: 0, lost: 1, stale: 4 });
});

test("a worker that is silent for the length of a lease is given up; one that speaks is not", async () => {
  const { fleet, clock } = createTestFleet();
  submit(fleet, 0, 1, 2, 3);
  const [silent, alive] = [connectTestWorker(fleet, "silent"), connectTestWorker(fleet, "alive")];
  await settled();
  for (let time = 0; time < 2 * LEASE_MS; time += LEASE_MS / 4) {
    clock.now += LEASE_MS / 4;
    alive.say(heartbeat(...alive.leases));
    fleet.tick();
  }
  await settled();
  expect([silent.ended, alive.ended]).toEqual([true, false]);
  expect(fleet.workers).toBe(1);
  for (const lease of alive.leases.slice(0, 2)) alive.merged(lease);
  await settled();
  expect(shardsOf(alive.leases).toSorted()).toEqual([0, 1, 2, 3]);
});

test("nobody is given up for what a coordinator that stood still did not hear", async () => {
  const { fleet, clock, attempts } = createTestFleet();
  const [task] = submit(fleet, 0);
  const worker = connectTestWorker(fleet, "a");
  await settled();
  for (let stops = 0; stops < 3; stops++) {
    clock.now += 10 * LEASE_MS;
    fleet.tick();
    worker.say(heartbeat(...worker.leases));
  }
  worker.merged(worker.leases[0]!);
  await settled();
  expect([worker.ended, worker.leases.length, task?.results.length]).toEqual([false, 1, 1]);
  expect(attempts.lost).toBe(0);
  for (let quarters = 0; quarters <= 4; quarters++) {
    clock.now += LEASE_MS / 4;
    fleet.tick();
  }
  expect(worker.ended).toBe(true);
});

test("a lease that heartbeats do not name was given up, but for one that is just under way", async () => {
  const { fleet, clock, attempts } = createTestFleet();
  submit(fleet, 0, 1);
  const worker = connectTestWorker(fleet, "a");
  await settled();
  worker.say(heartbeat());
  await settled();
  expect(worker.leases).toHaveLength(2);
  clock.now += 0.6 * LEASE_MS;
  worker.say(heartbeat(worker.leases[0]!));
  await settled();
  expect(shardsOf(worker.leases)).toEqual([0, 1, 1]);
  expect(worker.leases[2]).toMatchObject({ attempt: 2 });
  expect(attempts.lost).toBe(1);
});

test("a worker that leaves finishes what it has and gets no more; its shards go to others at once", async () => {
  const { fleet } = createTestFleet();
  submit(fleet, 0, 1);
  const leaving = connectTestWorker(fleet, "a");
  await settled();
  leaving.say(LEAVING);
  fleet.submit(testTask(0, { candidateId: "t1" }));
  const other = connectTestWorker(fleet, "b");
  await settled();
  expect(leaving.leases).toHaveLength(2);
  expect(other.leases).toMatchObject([{ candidate: { id: "t1" } }]);
  expect(leaving.ended).toBe(false);
  for (const lease of leaving.leases) leaving.merged(lease);
  expect(leaving.ended).toBe(true);
  const idle = connectTestWorker(fleet, "c");
  idle.say(LEAVING);
  expect(idle.ended).toBe(true);
});

test("a worker tells which merged shards it still holds, and keeps getting their tasks", async () => {
  const { fleet } = createTestFleet({ isOpen: (jobId) => jobId === "job" });
  const shard = { candidateId: "t0", sha256: "abc", byteLength: 5n };
  connectTestWorker(fleet, "a");
  const b = connectTestWorker(fleet, "b", {
    held: [
      { jobId: "job", shard: 4, ...shard },
      { jobId: "ended", shard: 0, ...shard },
      { jobId: "ended", shard: 1, ...shard },
    ],
  });
  expect(fleet.held("job", "t0", 4)).toMatchObject({ address: "local:b", sha256: "abc", byteLength: 5 });
  expect(fleet.held("ended", "t0", 0)).toBeUndefined();
  expect(b.messages.map((message) => message.case)).toEqual(["welcome", "forget"]);
  fleet.submit(testTask(4, { candidateId: "t1" }));
  await settled();
  expect(b.leases).toMatchObject([{ shard: { index: 4 } }]);
  fleet.lost("job", "t0", 4);
  expect(fleet.held("job", "t0", 4)).toBeUndefined();
});

test("a worker that connects again takes the place of its earlier session", async () => {
  const { fleet, attempts } = createTestFleet();
  const [task] = submit(fleet, 0);
  const before = connectTestWorker(fleet, "a");
  await settled();
  const again = connectTestWorker(fleet, "a");
  await settled();
  expect(before.ended).toBe(true);
  expect(again.leases).toMatchObject([{ attempt: 2 }]);
  expect(fleet.workers).toBe(1);
  // Late words and the end of the old session touch nothing of the new one.
  before.merged(before.leases[0]!);
  before.close();
  expect(fleet.workers).toBe(1);
  again.merged(again.leases[0]!);
  expect(task?.results).toHaveLength(1);
  expect(fleet.held("job", "t0", 0)).toMatchObject({ workerId: "a" });
  expect(attempts).toEqual({ done: 1, failed: 0, lost: 1, stale: 1 });
});

test("merged shards of a worker that left are held no more", async () => {
  const { fleet } = createTestFleet();
  submit(fleet, 0);
  const worker = connectTestWorker(fleet, "a");
  await settled();
  worker.merged(worker.leases[0]!);
  expect(fleet.held("job", "t0", 0)).toBeDefined();
  worker.close();
  expect(fleet.held("job", "t0", 0)).toBeUndefined();
});

test("tasks of a cancelled job are neither leased nor settled, and their keys are free again", async () => {
  const { fleet, attempts } = createTestFleet();
  const worker = connectTestWorker(fleet, "a", { slots: 1 });
  const cancelled = submit(fleet, 0, 1);
  const other = testTask(0, { jobId: "other" });
  await settled();
  fleet.cancel("job");
  fleet.submit(other);
  await settled();
  expect(worker.leases.map(({ jobId }) => jobId)).toEqual(["job", "other"]);
  worker.merged(worker.leases[0]!);
  worker.close();
  expect(cancelled.flatMap(({ results, errors }) => [...results, ...errors])).toEqual([]);
  expect(attempts).toEqual({ done: 0, failed: 0, lost: 1, stale: 1 });
  fleet.submit(testTask(0));
});

test("a task is submitted once", () => {
  const { fleet } = createTestFleet();
  fleet.submit(testTask(0));
  expect(() => fleet.submit(testTask(0))).toThrow("the task job/t0/m/0 is under way already");
});

test("dropping a candidate frees its shards and the slots of its leases, and no others", async () => {
  const { fleet } = createTestFleet();
  const worker = connectTestWorker(fleet, "a", { slots: 3 });
  fleet.submit(testTask(0, { candidateId: "t1" }));
  fleet.submit(testTask(1, { candidateId: "t1" }));
  fleet.submit(testTask(0, { candidateId: "t11" }));
  await settled();
  worker.merged(worker.leases[0]!);
  fleet.drop("job", ["t1"]);
  expect(worker.messages.at(-1)).toEqual({ case: "drop", value: { jobId: "job", candidateIds: ["t1"] } });
  expect(fleet.held("job", "t1", 0)).toBeUndefined();
  expect(fleet.slots.used).toBe(1);
  worker.merged(worker.leases[2]!);
  expect(fleet.held("job", "t11", 0)).toBeDefined();
});

test("forgetting a job frees all that is kept of it", async () => {
  const { fleet } = createTestFleet();
  const worker = connectTestWorker(fleet, "a");
  submit(fleet, 0, 1, 2);
  await settled();
  worker.merged(worker.leases[0]!);
  fleet.forget("job");
  await settled();
  expect(worker.messages.at(-1)).toEqual({ case: "forget", value: { jobId: "job" } });
  expect(fleet.held("job", "t0", 0)).toBeUndefined();
  expect(fleet.slots.used).toBe(0);
  // The inputs of its shards weigh on nobody any more: the next shard goes to the first worker, not to the emptiest.
  connectTestWorker(fleet, "b");
  fleet.submit(testTask(0, { jobId: "next" }));
  await settled();
  expect(worker.leases.at(-1)).toMatchObject({ jobId: "next" });
});

test("a shard's next task goes to the worker that has its inputs", async () => {
  const { fleet } = createTestFleet();
  const workers = [connectTestWorker(fleet, "a"), connectTestWorker(fleet, "b")];
  const homes = new Map<number, number>();
  for (const candidateId of ["t0", "t1", "t2"]) {
    for (const shard of [0, 1, 2, 3]) fleet.submit(testTask(shard, { candidateId }));
    await settled();
    for (const [index, worker] of workers.entries()) {
      const leases = worker.leases.filter(({ candidate }) => candidate?.id === candidateId);
      expect(leases).toHaveLength(2);
      for (const lease of leases) {
        expect(homes.get(lease.shard!.index) ?? index).toBe(index);
        homes.set(lease.shard!.index, index);
        worker.merged(lease);
      }
    }
  }
});

test("a lease that cannot be built fails its task and nothing else", async () => {
  const { fleet } = createTestFleet();
  const broken = testTask(0);
  fleet.submit({
    ...broken,
    lease: () => {
      throw new Error("weight has no value for x");
    },
  });
  const [sound] = submit(fleet, 1);
  const worker = connectTestWorker(fleet, "a");
  await settled();
  expect(broken.errors).toMatchObject([{ code: "internal", message: "weight has no value for x" }]);
  worker.say(mergeDone(worker.leases[0]!));
  expect(sound?.results).toHaveLength(1);
});

test("a task goes to workers that offer its back-end only, and one of WebAssembly kernels to any", async () => {
  const { fleet } = createTestFleet();
  const tasks = [testTask(0, { backend: "webgpu" }), testTask(1)];
  for (const task of tasks) fleet.submit(task);
  const plain = connectTestWorker(fleet, "a");
  await settled();
  expect(shardsOf(plain.leases)).toEqual([1]);
  expect([fleet.offers("wasm"), fleet.offers("webgpu")]).toEqual([true, false]);
  const gpu = connectTestWorker(fleet, "b", { backend: "webgpu" });
  await settled();
  expect(shardsOf(gpu.leases)).toEqual([0]);
  expect(fleet.offers("webgpu")).toBe(true);
  fleet.submit(testTask(2, { backend: "onnx:cuda" }));
  fleet.submit(testTask(3, { candidateId: "t1" }));
  fleet.submit(testTask(4, { candidateId: "t1" }));
  await settled();
  expect([...shardsOf(plain.leases), ...shardsOf(gpu.leases)].toSorted()).toEqual([0, 1, 3, 4]);
});
