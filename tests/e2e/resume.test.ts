// `amalgam search` in one process, killed or stopped midway: the same command goes on where it was.
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { createFamily, type Family } from "../harness/family.ts";
import { type JournalEvent, readJournal } from "../harness/journal.ts";
import { Program, run } from "../harness/program.ts";

let family: Family;
let reference: Record<string, string>;

beforeAll(async () => {
  family = await createFamily();
  const out = await family.outputIn("reference");
  const { code, stderr } = await run("search", family.recipe, out);
  expect(code, stderr).toBe(0);
  expect(await readdir(dirname(out))).toEqual(["model"]);
  reference = await digestsOf(out);
});
afterAll(() => family?.[Symbol.asyncDispose]());

const eventsBeside = async (out: string): Promise<JournalEvent[]> =>
  (await readJournal(join(dirname(out), ".model.amalgam-journal"))).map(({ event }) => event);

/** Runs until as many trials have scores, then sends the signal. */
async function stoppedAfter(trials: number, out: string, signal: NodeJS.Signals) {
  await using search = new Program(["search", family.recipe, out]);
  await search.line(`${trials} trials had scores`, (line) => {
    const done = /^trial \S+ \((\d+)\/\d+\)/.exec(line)?.[1];
    return Number(done) >= trials || undefined;
  });
  const exit = await search.end(signal);
  return { ...exit, stdout: search.stdout, stderr: search.stderr };
}

test.for(["SIGKILL", "SIGINT"] as const)(
  "stopped by %s, the same command resumes: no trial is scored again",
  async (signal) => {
    const out = await family.outputIn(signal);
    const stopped = await stoppedAfter(2, out, signal);
    if (signal === "SIGINT") {
      expect(stopped.code).toBe(130);
      expect(stopped.stderr).toContain("run the same command again to go on");
    }
    for (const name of await readdir(dirname(out))) expect(name).toMatch(/^\.model\.amalgam-/);
    const before = await eventsBeside(out);
    const known = before.filter(({ type }) => type === "scored").length;
    expect(known).toBeGreaterThanOrEqual(4);

    const resumed = await run("search", family.recipe, out, "--log-level", "debug");
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toContain("going on with job");
    const evaluated = resumed.stderr.split('"evaluated"').length - 1;
    expect(evaluated).toBe((family.trials + family.comparisons + 1) * family.tasks.length - known);
    expect(await readdir(dirname(out))).toEqual(["model"]);
    expect(await digestsOf(out)).toEqual(reference);
  },
);

test("killed while it writes, it goes on with the shards that are committed", async () => {
  const out = await family.outputIn("writing");
  const command = ["search", family.recipe, out, "--shard-bytes", "300000"];
  await using search = new Program(command);
  await search.line("shards were written", (line) => /^written \d+ of/.test(line) || undefined);
  await search.end();
  const written = (await eventsBeside(out)).filter(({ type }) => type === "shardWritten").length;
  expect(written).toBeGreaterThan(0);
  const resumed = await run(...command, "--json");
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await digestsOf(out)).toEqual(reference);
  const first = JSON.parse(resumed.stdout.split("\n")[0]!) as { job: { shardsWritten: number } };
  expect(first.job.shardsWritten).toBe(written);
});

test("killed again and again, the journal has every decision once", async () => {
  const out = await family.outputIn("again-and-again");
  for (const trials of [1, 3, 5]) await stoppedAfter(trials, out, "SIGKILL");
  const events = await eventsBeside(out);
  const proposed = events.filter(({ type }) => type === "proposed").map(({ candidateId }) => candidateId);
  expect(proposed).toEqual([...new Set(proposed)]);
  const scored = events
    .filter(({ type }) => type === "scored")
    .map(({ candidateId, task }) => `${candidateId}/${task}`);
  expect(scored).toEqual([...new Set(scored)]);
  const { code, stderr } = await run("search", family.recipe, out);
  expect(code, stderr).toBe(0);
  expect(await digestsOf(out)).toEqual(reference);
});
