// The coordinator, NATS, or everything at once dies by kill -9 and is started again: jobs end as if nothing had happened.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { JobView } from "@amalgam/proto";
import { poll } from "@amalgam/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cluster, hasEnded, progress } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { createFamily, type Family } from "../harness/family.ts";
import { checkHistory, decisions } from "../harness/journal.ts";

let family: Family;
/** A job that nothing happened to. */
let reference: { readonly files: Record<string, string>; readonly decisions: unknown };

beforeAll(async () => {
  family = await createFamily({ items: 160, racing: true });
  await using cluster = await Cluster.start({ directory: join(family.directory, "reference") });
  const out = await family.outputIn("reference");
  const jobId = await cluster.submit(family.recipe, out);
  await cluster.finished(jobId);
  const events = await cluster.events(jobId);
  checkHistory(events, family);
  expect(events.some(({ type }) => type === "raceLost")).toBe(true);
  reference = { files: await digestsOf(out), decisions: decisions(events) };
});
afterAll(() => family?.[Symbol.asyncDispose]());

/** Starts a cluster and a job, does its worst, and checks that the job ends as the reference did. */
async function survives(name: string, worst: (cluster: Cluster, jobId: string) => Promise<void>): Promise<void> {
  const out = await family.outputIn(name);
  await using cluster = await Cluster.start({ directory: join(family.directory, name) });
  const jobId = await cluster.submit(family.recipe, out, { shardBytes: 1_000_000 });
  await worst(cluster, jobId);
  await cluster.finished(jobId);
  const events = await cluster.events(jobId);
  checkHistory(events, family);
  expect(events.filter(({ type }) => type === "stagingLost")).toEqual([]);
  expect(decisions(events)).toEqual(reference.decisions);
  expect(await digestsOf(out)).toEqual(reference.files);
}

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All trials that may be in flight are merged, so their evaluations are published or about to be. */
const isEvaluating = ({ candidates }: JobView): boolean => {
  const open = candidates.filter(({ role, state }) => role === "trial" && state !== "scored");
  return open.length > 0 && open.every(({ state }) => state === "evaluating");
};

const moments: readonly (readonly [string, (job: JobView) => boolean])[] = [
  ["the first trial is proposed", ({ candidates }) => candidates.length > 0],
  [
    "it is in the middle of the search",
    ({ candidates }) => candidates.filter((one) => one.state === "scored").length > 2,
  ],
  ["it compares", ({ state }) => state === "comparing"],
  ["it writes", ({ shardsWritten }) => shardsWritten > 0],
  [
    "it publishes",
    ({ state, shards, shardsWritten }) => state === "publishing" || (shards > 0 && shardsWritten === shards),
  ],
];

test("the coordinator is killed at every stage of one job", async () => {
  await survives("every-stage", async (cluster, jobId) => {
    for (const [what, isSo] of moments) {
      await cluster.until(jobId, what, isSo);
      await cluster.restartCoordinator();
    }
  });
});

test.for([1, 2])("the coordinator is killed at random moments, seed %i", async (seed) => {
  const random = seeded(seed);
  await survives(`random-${seed}`, async (cluster, jobId) => {
    let reached = 0;
    for (let kill = 0; kill < 4; kill++) {
      const next = reached + Math.floor(random() * 10);
      const job = await cluster.until(jobId, `progress ${next}`, (view) => progress(view) >= next);
      if (hasEnded(job)) break;
      reached = progress(job);
      await cluster.restartCoordinator();
    }
  });
});

test("everything is killed at once, NATS included, and started again", async () => {
  await survives("everything", async (cluster, jobId) => {
    await cluster.until(jobId, "some scores", (job) => progress(job) >= 8);
    const roles = [...cluster.workers.values(), ...cluster.evaluators.values(), cluster.coordinator];
    await Promise.all([...roles.map((role) => role.end()), cluster.nats.kill()]);
    await cluster.nats.restart();
    await cluster.startCoordinator();
    await Promise.all([cluster.startWorker("worker-1"), cluster.startEvaluator("evaluator-1")]);
  });
});

test("NATS is killed and started again", async () => {
  await survives("nats", async (cluster, jobId) => {
    await cluster.until(jobId, "some scores", (job) => progress(job) >= 5);
    await cluster.nats.kill();
    await cluster.nats.restart();
  });
});

test("NATS is killed and loses its store: what waited in it is published again", async () => {
  await survives("nats-wiped", async (cluster, jobId) => {
    await cluster.until(jobId, "some scores", (job) => progress(job) >= 5);
    // Without an evaluator, evaluations wait in the store for certain.
    await cluster.evaluators.get("evaluator-1")!.end();
    await cluster.until(jobId, "merged trials", isEvaluating);
    await cluster.nats.kill();
    await rm(join(cluster.natsDirectory, "jetstream"), { recursive: true });
    await cluster.nats.restart();
    await cluster.startEvaluator("evaluator-2");
  });
});

test("the coordinator is away for as long as an evaluator, new to the job, asks for it", async () => {
  await survives("away", async (cluster, jobId) => {
    await cluster.evaluators.get("evaluator-1")!.end();
    await cluster.until(jobId, "merged trials", isEvaluating);
    await cluster.coordinator.end();
    const evaluator = await cluster.startEvaluator("evaluator-2");
    const asked = (): number => evaluator.stderr.split('"evaluation waits"').length - 1;
    await poll(() => asked() >= 12, { what: "an evaluator that asks again and again", timeoutMs: 60_000 });
    await cluster.startCoordinator();
  });
});

test("merged shards and coordinator are lost together: evaluations that wait are published anew", async () => {
  await survives("shards-and-coordinator", async (cluster, jobId) => {
    await cluster.evaluators.get("evaluator-1")!.end();
    await cluster.until(jobId, "a merged trial", ({ candidates }) =>
      candidates.some((one) => one.state === "evaluating"),
    );
    const roles = [...cluster.workers.values(), cluster.coordinator];
    await Promise.all(roles.map((role) => role.end()));
    await cluster.startCoordinator();
    await Promise.all([cluster.startWorker("worker-3"), cluster.startEvaluator("evaluator-2")]);
  });
});
