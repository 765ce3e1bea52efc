import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay, type Study } from "@amalgam/optimizer";
import { CoordinatorService, type JobView } from "@amalgam/proto";
import { createLocalClient, createMemoryBus } from "@amalgam/runtime";
import { afterAll, expect, test } from "vitest";
import { createCoordinatorService } from "../service.ts";
import { type Coordinator, jobIdOf } from "./coordinator.ts";
import { jobSpec, openCoordinator, SEARCH, writeInputs, writeModel } from "./testing/job.ts";
import { connectCopyingWorker, evaluate, scoreOutcome } from "./testing/peers.ts";

const root = mkdtempSync(join(tmpdir(), "amalgam-coordinator-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;
function inputs(): string {
  const directory = join(root, `${directories++}`);
  writeInputs(directory);
  return directory;
}

const DEADLINE_MS = 20_000;

/** The job once `when` holds of it, or once it has ended. */
async function viewWhen(coordinator: Coordinator, jobId: string, when: (view: JobView) => boolean): Promise<JobView> {
  let last: JobView | undefined;
  for await (const view of coordinator.watch(jobId, AbortSignal.timeout(DEADLINE_MS))) {
    last = view;
    if (when(view)) return view;
  }
  return last!;
}
const ended = (coordinator: Coordinator, jobId: string): Promise<JobView> => viewWhen(coordinator, jobId, () => false);

const writes = (worker: { readonly leases: readonly { readonly task: { readonly case?: string | undefined } }[] }) =>
  worker.leases.filter(({ task }) => task.case === "write").length;

test("a merge that is submitted is planned, leased, written and published", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const { jobId, resumed } = coordinator.submit(jobSpec(directory));
  expect(resumed).toBe(false);
  const waiting = await viewWhen(coordinator, jobId, ({ state }) => state === "writing");
  expect(waiting).toMatchObject({ shardsWritten: 0, waitingFor: "no shard worker is connected" });
  expect(coordinator.submit(jobSpec(directory))).toEqual({ jobId, resumed: true });
  const worker = connectCopyingWorker(coordinator);
  const done = await ended(coordinator, jobId);
  expect(done).toMatchObject({ state: "done", problem: "", shardsWritten: waiting.shards });
  expect(writes(worker)).toBe(waiting.shards);
  const dataOf = (model: string): Buffer => {
    const file = readFileSync(join(directory, model, "model.safetensors"));
    return file.subarray(8 + Number(file.readBigUInt64LE()));
  };
  expect(dataOf("out").equals(dataOf("m"))).toBe(true);
  expect(coordinator.list().map((view) => [view.jobId, view.state])).toEqual([[jobId, "done"]]);
});

test("a job waits for workers with its back-end, says so, and its manifest names it", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const spec = jobSpec(directory, { backend: "webgpu" });
  const { jobId } = coordinator.submit(spec);
  expect(jobId).not.toBe(jobIdOf(jobSpec(directory)));
  const plain = connectCopyingWorker(coordinator);
  const reason = "no shard worker with the back-end webgpu is connected";
  await viewWhen(coordinator, jobId, ({ state, waitingFor }) => state === "writing" && waitingFor === reason);
  expect(plain.leases).toEqual([]);
  const gpu = connectCopyingWorker(coordinator, { workerId: "gpu", backend: "webgpu" });
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
  expect([plain.leases.length, new Set(gpu.leases.map(({ backend }) => backend))]).toEqual([0, new Set(["webgpu"])]);
  const manifest = JSON.parse(readFileSync(join(directory, "out", "amalgam.json"), "utf8"));
  expect(manifest.versions.backend).toBe("webgpu");
});

test("problems end the job with a reason, and leave nothing behind", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const broken = coordinator.submit(jobSpec(directory, { recipe: "merge_method: lineal\nmodels: [{model: m}]\n" }));
  expect(await ended(coordinator, broken.jobId)).toMatchObject({
    state: "failed",
    problem: expect.stringContaining("linear"),
  });
  const worker = connectCopyingWorker(coordinator, { failure: () => "invalid_argument" });
  const refused = coordinator.submit(jobSpec(directory));
  expect(await ended(coordinator, refused.jobId)).toMatchObject({
    state: "failed",
    problem: "no: invalid_argument",
    problemCode: "invalid_argument",
  });
  expect(worker.leases.length).toBeGreaterThan(0);
  expect(existsSync(join(directory, "out"))).toBe(false);
  expect(() => coordinator.view("no such job")).toThrow("there is no job no such job");
});

test("a job that is cancelled stops, and goes on from there when it is submitted again", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator, { answers: 0 });
  const { jobId } = coordinator.submit(jobSpec(directory));
  const { shards } = await viewWhen(coordinator, jobId, () => worker.leases.length === 2);
  expect(coordinator.cancel(jobId).state).toBe("cancelled");
  expect((await ended(coordinator, jobId)).state).toBe("cancelled");
  worker.release();
  expect(coordinator.submit(jobSpec(directory))).toEqual({ jobId, resumed: true });
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", shardsWritten: shards, problem: "" });
});

test("an output belongs to one job at a time, and to nobody once its job has ended", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator, { answers: 0 });
  const first = coordinator.submit(jobSpec(directory));
  await viewWhen(coordinator, first.jobId, () => worker.leases.length > 0);
  const other = jobSpec(directory, { shardBytes: 600_000 });
  expect(() => coordinator.submit(other)).toThrow(`job ${first.jobId} is writing to ${other.outputDirectory}`);
  coordinator.cancel(first.jobId);
  worker.release();
  const second = coordinator.submit(other);
  expect(await ended(coordinator, second.jobId)).toMatchObject({ state: "done", problem: "" });
});

test("an output that exists is replaced when that is asked for, even on the second try", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  connectCopyingWorker(coordinator);
  const first = coordinator.submit(jobSpec(directory));
  expect((await ended(coordinator, first.jobId)).state).toBe("done");
  const again = jobSpec(directory, { shardBytes: 600_000 });
  const { jobId } = coordinator.submit(again);
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "failed", problem: expect.stringContaining("out") });
  expect(coordinator.submit({ ...again, overwrite: true })).toEqual({ jobId, resumed: true });
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
});

test("a job that is published is done when it is submitted again, and begins anew when its output is gone", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator);
  const { jobId } = coordinator.submit(jobSpec(directory));
  const first = await ended(coordinator, jobId);
  expect(coordinator.submit(jobSpec(directory))).toEqual({ jobId, resumed: true });
  expect((await ended(coordinator, jobId)).state).toBe("done");
  expect(writes(worker)).toBe(first.shards);
  rmSync(join(directory, "out"), { recursive: true });
  expect(coordinator.submit(jobSpec(directory))).toEqual({ jobId, resumed: false });
  expect((await ended(coordinator, jobId)).state).toBe("done");
  expect(writes(worker)).toBe(2 * first.shards);
});

test("a coordinator that is started again finishes the job, and has no shard written twice", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  const spec = jobSpec(directory);
  let jobId = "";
  {
    await using coordinator = openCoordinator(join(directory, "state"), bus);
    connectCopyingWorker(coordinator, { answers: 2 });
    ({ jobId } = coordinator.submit(spec));
    await viewWhen(coordinator, jobId, ({ shardsWritten }) => shardsWritten === 2);
  }
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator);
  const done = await ended(coordinator, jobId);
  expect(done).toMatchObject({ state: "done", problem: "" });
  expect(writes(worker)).toBe(done.shards - 2);
});

test("inputs that changed while the coordinator was away begin the job anew", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  const spec = jobSpec(directory);
  let jobId = "";
  {
    await using coordinator = openCoordinator(join(directory, "state"), bus);
    connectCopyingWorker(coordinator, { answers: 2 });
    ({ jobId } = coordinator.submit(spec));
    await viewWhen(coordinator, jobId, ({ shardsWritten }) => shardsWritten === 2);
  }
  writeModel(join(directory, "m"), (element) => Math.cos(element));
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator);
  const done = await ended(coordinator, jobId);
  expect(done).toMatchObject({ state: "done", problem: "" });
  expect(writes(worker)).toBe(done.shards);
});

test("a search scores its trials, compares, and publishes; again when it is wanted again", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  const stop = new AbortController();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  connectCopyingWorker(coordinator);
  const evaluator = evaluate(bus, stop.signal, () => scoreOutcome(0.75));
  const spec = jobSpec(directory, { kind: "search", recipe: SEARCH });
  const { jobId } = coordinator.submit(spec);
  const done = await ended(coordinator, jobId);
  expect(done).toMatchObject({ state: "done", problem: "", trialsPlanned: 4 });
  expect(done.candidates.map(({ id, state }) => [id, state])).toEqual([
    ["t0", "scored"],
    ["t1", "scored"],
    ["t2", "scored"],
    ["t3", "scored"],
    ["final", "scored"],
  ]);
  // The bus remembers the ids of the first run's messages; the second run has others.
  expect(coordinator.submit({ ...spec, overwrite: true })).toEqual({ jobId, resumed: false });
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
  stop.abort();
  await evaluator;
});

test("a search that is cancelled in the middle of its evaluations finishes when it is submitted again", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  connectCopyingWorker(coordinator);
  const spec = jobSpec(directory, { kind: "search", recipe: SEARCH });
  const { jobId } = coordinator.submit(spec);
  await viewWhen(coordinator, jobId, ({ candidates }) => {
    return candidates.filter(({ state }) => state === "evaluating").length === 2;
  });
  coordinator.cancel(jobId);
  expect(coordinator.submit(spec)).toEqual({ jobId, resumed: true });
  const stop = new AbortController();
  const evaluator = evaluate(bus, stop.signal, () => scoreOutcome(0.5));
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
  stop.abort();
  await evaluator;
});

test("shards lost once are merged again, failed and senseless scores fail their trials, and the search goes on", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  const worker = connectCopyingWorker(coordinator);
  const stop = new AbortController();
  const evaluator = evaluate(bus, stop.signal, ({ candidateId, generation }) => {
    if (candidateId === "t0" && generation === 0) return { case: "shardsLost", value: { shards: [1] } };
    if (candidateId === "t1") return { case: "failure", value: { code: "out_of_range", message: "NaN logits" } };
    return scoreOutcome(candidateId === "t2" ? Number.NaN : 0.5);
  });
  const { jobId } = coordinator.submit(jobSpec(directory, { kind: "search", recipe: SEARCH }));
  const done = await ended(coordinator, jobId);
  expect(done).toMatchObject({ state: "done", problem: "" });
  expect(done.candidates.map(({ id, state, problem }) => [id, state, problem])).toEqual([
    ["t0", "scored", ""],
    ["t1", "failed", "task good: NaN logits"],
    ["t2", "failed", "task good: no score: its accuracy is NaN"],
    ["t3", "scored", ""],
    ["final", "scored", ""],
  ]);
  const merges = worker.leases.filter(
    ({ task, candidate }) => task.case === "merge" && candidate?.id.startsWith("t0."),
  );
  expect(merges.map(({ shard }) => shard?.index).filter((index) => index === 1)).toHaveLength(2);
  expect(merges).toHaveLength(done.shards + 1);
  stop.abort();
  await evaluator;
});

test("a bus that has no room for an evaluation makes the job wait, not fail", async () => {
  const directory = inputs();
  // Each evaluation has a few hundred bytes: one fits.
  await using bus = createMemoryBus({ maxQueueBytes: 700 });
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  connectCopyingWorker(coordinator);
  const { jobId } = coordinator.submit(jobSpec(directory, { kind: "search", recipe: SEARCH }));
  const both = ({ candidates }: JobView): boolean =>
    candidates.filter(({ state }) => state === "evaluating").length === 2;
  expect(await viewWhen(coordinator, jobId, both)).toMatchObject({ state: "searching", problem: "" });
  expect(await bus.queue("evaluations").depth()).toBe(1);
  const stop = new AbortController();
  const evaluator = evaluate(bus, stop.signal, () => scoreOutcome(0.5));
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
  stop.abort();
  await evaluator;
});

test("the study of a search can be had while it goes on and after its end, trials without a score pending", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  await using coordinator = openCoordinator(join(directory, "state"), bus);
  connectCopyingWorker(coordinator);
  const client = createLocalClient(
    CoordinatorService,
    createCoordinatorService(() => coordinator),
  );
  const studyOf = async (jobId: string): Promise<Study> => {
    const chunks: Uint8Array[] = [];
    for await (const { data } of client.getStudy({ jobId })) chunks.push(data);
    const { spec, events } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Pick<Study, "spec" | "events">;
    return replay(spec, events);
  };
  const { jobId } = coordinator.submit(jobSpec(directory, { kind: "search", recipe: SEARCH }));
  await viewWhen(coordinator, jobId, ({ candidates }) => {
    return candidates.filter(({ state }) => state === "evaluating").length === 2;
  });
  expect((await studyOf(jobId)).trials().map(({ state }) => state)).toEqual(["pending", "pending"]);
  const stop = new AbortController();
  const evaluator = evaluate(bus, stop.signal, () => scoreOutcome(0.5));
  expect(await ended(coordinator, jobId)).toMatchObject({ state: "done", problem: "" });
  const study = await studyOf(jobId);
  expect(study.trials().map(({ outcome }) => outcome?.values)).toEqual([[0.5], [0.5], [0.5], [0.5]]);
  const merge = coordinator.submit(jobSpec(directory, { outputDirectory: join(directory, "merged") }));
  await expect(studyOf(merge.jobId)).rejects.toMatchObject({ code: "failed_precondition" });
  expect(await ended(coordinator, merge.jobId)).toMatchObject({ state: "done" });
  stop.abort();
  await evaluator;
});

test("everything that is watched ends with the coordinator", async () => {
  const directory = inputs();
  await using bus = createMemoryBus();
  const coordinator = openCoordinator(join(directory, "state"), bus);
  const { jobId } = coordinator.submit(jobSpec(directory));
  const watching = Array.fromAsync(coordinator.watch(jobId, AbortSignal.timeout(DEADLINE_MS)));
  await viewWhen(coordinator, jobId, ({ state }) => state === "writing");
  await coordinator[Symbol.asyncDispose]();
  expect((await watching).at(-1)?.state).toBe("writing");
});
