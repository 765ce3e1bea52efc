// Jobs on a cluster of real processes publish what a single process publishes, byte for byte, whoever dies on the way.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobView } from "@amalgam/proto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { createFamily, type Family } from "../harness/family.ts";
import { checkHistory } from "../harness/journal.ts";
import { run } from "../harness/program.ts";

let family: Family;
let reference: Record<string, string>;

beforeAll(async () => {
  family = await createFamily();
  const out = await family.outputIn("reference");
  const { code, stdout, stderr } = await run("search", family.recipe, out);
  expect(code, stdout + stderr).toBe(0);
  reference = await digestsOf(out);
});
afterAll(() => family?.[Symbol.asyncDispose]());

const isUnderWay =
  (state: string) =>
  ({ candidates }: JobView): boolean =>
    candidates.some((candidate) => candidate.id !== "t0" && candidate.state === state);

test("a single process publishes every file that a reader needs", () => {
  const files = ["README.md", "amalgam-recipe.yaml", "amalgam.json", "config.json", "model.safetensors"];
  expect(Object.keys(reference)).toEqual(expect.arrayContaining([...files, "report.html", "tokenizer.json"]));
});

test("a worker dies by SIGKILL in the middle: the job goes on and publishes the same bytes", async () => {
  const out = await family.outputIn("killed-worker");
  await using cluster = await Cluster.start({ directory: join(family.directory, "killed-worker") });
  const submitted = await run("submit", family.recipe, out, "--coordinator", cluster.address, "--json");
  expect(submitted.code, submitted.stderr).toBe(0);
  const { jobId } = JSON.parse(submitted.stdout) as { jobId: string };
  await cluster.until(jobId, "a trial that evaluates", isUnderWay("evaluating"));
  await cluster.workers.get("worker-1")!.end();
  const { workers } = await cluster.finished(jobId);
  expect(workers).toBe(1);
  expect(await digestsOf(out)).toEqual(reference);
  checkHistory(await cluster.events(jobId), family);
});

test.for([
  { workers: 1, shardBytes: 0 },
  { workers: 2, shardBytes: 500_000 },
  { workers: 3, shardBytes: 5_000_000 },
])("$workers workers, shards of $shardBytes bytes: the same bytes", async ({ workers, shardBytes }) => {
  const name = `workers-${workers}`;
  const out = await family.outputIn(name);
  await using cluster = await Cluster.start({ directory: join(family.directory, name), workers });
  const jobId = await cluster.submit(family.recipe, out, { shardBytes });
  await cluster.finished(jobId);
  expect(await digestsOf(out)).toEqual(reference);
  const events = await cluster.events(jobId);
  checkHistory(events, family);
  expect(cluster.evaluations).toBe(events.filter(({ type }) => type === "scored").length);
});

test("a worker without access to the storage gets its inputs and gives its outputs over gRPC: the same bytes", async () => {
  const out = await family.outputIn("stream");
  await using cluster = await Cluster.start({ directory: join(family.directory, "stream"), workers: 1 });
  await cluster.startWorker("far-away", "--storage", "stream");
  const jobId = await cluster.submit(family.recipe, out, { shardBytes: 1_000_000 });
  await cluster.finished(jobId);
  expect(await digestsOf(out)).toEqual(reference);
  checkHistory(await cluster.events(jobId), family);
});

test("merged shards die with their worker before an evaluator has them: they are merged again, and scored once", async () => {
  const out = await family.outputIn("lost-shards");
  // Without an evaluator the merged shards wait where they are.
  await using cluster = await Cluster.start({ directory: join(family.directory, "lost-shards"), evaluators: 0 });
  const jobId = await cluster.submit(family.recipe, out);
  await cluster.until(jobId, "two merged trials", ({ candidates }) =>
    ["t0", "t1"].every((id) => candidates.some((each) => each.id === id && each.state === "evaluating")),
  );
  await cluster.workers.get("worker-1")!.end();
  await Promise.all([cluster.startWorker("worker-3"), cluster.startEvaluator("evaluator-1")]);
  await cluster.finished(jobId);
  expect(await digestsOf(out)).toEqual(reference);
  const events = await cluster.events(jobId);
  checkHistory(events, family);
  expect(events.filter(({ type }) => type === "evaluationLost").length).toBeGreaterThan(0);
});

test("tasks that changed are read anew, also by an evaluator that scored the job before", async () => {
  await using changing = await createFamily({ trials: 3 });
  const out = await changing.outputIn("changing");
  await using cluster = await Cluster.start({ directory: join(changing.directory, "cluster"), workers: 1 });
  await cluster.finished(await cluster.submit(changing.recipe, out));
  for (const split of ["validation", "test"]) {
    const path = join(changing.directory, "tasks", `section.${split}.jsonl`);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    await writeFile(path, `${lines.slice(0, 30).join("\n")}\n`);
  }
  await cluster.finished(await cluster.submit(changing.recipe, out, { overwrite: true }));
  const alone = await changing.outputIn("alone");
  expect((await run("search", changing.recipe, alone)).code).toBe(0);
  expect(await digestsOf(out)).toEqual(await digestsOf(alone));
});

test("a worker that is paused for longer than its lease loses it, and does no harm when it goes on", async () => {
  const out = await family.outputIn("paused");
  await using cluster = await Cluster.start({ directory: join(family.directory, "paused"), leaseMs: 1_000 });
  const jobId = await cluster.submit(family.recipe, out);
  await cluster.until(jobId, "a trial that evaluates", isUnderWay("evaluating"));
  const paused = cluster.workers.get("worker-1")!;
  paused.signal("SIGSTOP");
  await cluster.until(jobId, "the paused worker given up", ({ workers }) => workers === 1);
  paused.signal("SIGCONT");
  await cluster.finished(jobId);
  expect(await digestsOf(out)).toEqual(reference);
  checkHistory(await cluster.events(jobId), family);
});

test("the only worker, paused for longer than its lease, is told, comes again and finishes the job", async () => {
  const out = await family.outputIn("paused-alone");
  const directory = join(family.directory, "paused-alone");
  await using cluster = await Cluster.start({ directory, workers: 1, leaseMs: 1_000 });
  const jobId = await cluster.submit(family.recipe, out);
  await cluster.until(jobId, "a trial that merges", isUnderWay("merging"));
  const worker = cluster.workers.get("worker-1")!;
  worker.signal("SIGSTOP");
  await cluster.until(jobId, "the worker given up", ({ workers }) => workers === 0);
  worker.signal("SIGCONT");
  await cluster.finished(jobId);
  expect(await digestsOf(out)).toEqual(reference);
  checkHistory(await cluster.events(jobId), family);
});
