// `amalgam search` on a disk that loses power: copies of the disk at many moments of one run, each of which is what a power
// cut at that moment would have left. Needs root, to mount them; where it is missing this fails in CI and is skipped elsewhere.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { verifyPublished } from "@amalgam/checkpoint";
import { poll } from "@amalgam/runtime";
import { expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";
import { type JournalEvent, readJournal } from "../harness/journal.ts";
import { PowerDisk } from "../harness/power-disk.ts";
import { Program, run } from "../harness/program.ts";

const isRoot = process.getuid?.() === 0;
const mustRun = process.env["CI"] === "true";
const TIMEOUT_MS = 60_000;

interface Cut {
  readonly image: string;
  /** `candidate/task` of every score that the program had reported before. */
  readonly reported: readonly string[];
}

function reportedScores(stdout: string): string[] {
  const lines = stdout.split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const { candidate } = JSON.parse(line) as {
      candidate?: { id: string; state: string; scores: { task: string }[] };
    };
    return candidate?.state === "scored" ? candidate.scores.map(({ task }) => `${candidate.id}/${task}`) : [];
  });
}

/** Cuts the power whenever the program has said something or the disk has changed, and once more at the end. */
async function cutsDuring(program: Program, disk: PowerDisk, directory: string): Promise<Cut[]> {
  const cuts: Cut[] = [];
  let said = 0;
  let writes = 0;
  for (let hasExited = false; !hasExited; ) {
    const isNews = (): boolean => program.hasExited || program.stdout.length > said || disk.writes !== writes;
    await poll(isNews, { what: "something new", timeoutMs: TIMEOUT_MS, intervalMs: 1 });
    hasExited = program.hasExited;
    said = program.stdout.length;
    const reported = reportedScores(program.stdout);
    const image = join(directory, `cut-${cuts.length}.ext4`);
    // Or it might never stop writing for as long as a copy takes.
    program.signal("SIGSTOP");
    writes = await disk.cut(image);
    program.signal("SIGCONT");
    cuts.push({ image, reported });
  }
  return cuts;
}

/** Every one of them lasts, so that cuts fall into it; others are passed too quickly to count on. */
const LONG_STAGES = ["submitted", "scored", "recommended", "shardWritten"];
const STAGES = [...LONG_STAGES, "published"];

const scoresIn = (events: readonly JournalEvent[]): string[] =>
  events.filter(({ type }) => type === "scored").map(({ candidateId, task }) => `${candidateId}/${task}`);

test("power is lost at any moment: reported scores are kept, the output is absent or complete, and the same command finishes it", async (context) => {
  context.skip(!isRoot && !mustRun, "needs root, to mount a disk");
  await using family = await createFamily({ items: 30, trials: 3 });
  await using disk = await PowerDisk.create(family.directory);
  const out = join(disk.path, "model");
  const journal = join(disk.path, ".model.amalgam-journal");
  const command = ["search", family.recipe, out, "--shard-bytes", "1500000", "--json", "--log-level", "debug"];
  await using program = new Program(command);
  const cuts = await cutsDuring(program, disk, family.directory);
  expect((await program.exited).code, program.stderr).toBe(0);
  const reference = await digestsOf(out);
  await disk.unmount();

  const cutIn = new Map<string, { readonly image: string; readonly events: readonly JournalEvent[] }>();
  for (const { image, reported } of cuts) {
    await disk.mount(image);
    const isThere = existsSync(out);
    if (isThere) await verifyPublished(out);
    const events = existsSync(journal) ? (await readJournal(journal)).map(({ event }) => event) : [];
    const stage = STAGES.findLast((each) => events.some(({ type }) => type === each)) ?? "nothing";
    if (stage === "published") expect(isThere).toBe(true);
    // Once the output is there, the journal is removed.
    if (!isThere || existsSync(journal)) {
      expect(scoresIn(events)).toEqual(expect.arrayContaining([...reported]));
      // Right after the last event of its stage, when the least is on the disk of what belongs to it; without any event, the
      // last one, when the journal is half made.
      const key = isThere ? `${stage}, the output is there` : stage;
      const { length } = events;
      if (length === 0 || length > (cutIn.get(key)?.events.length ?? 0)) cutIn.set(key, { image, events });
    }
    await disk.unmount();
  }
  expect([...cutIn.keys()]).toEqual(expect.arrayContaining(LONG_STAGES));

  for (const [stage, { image, events }] of cutIn) {
    await disk.mount(image);
    const { code, stderr } = await run(...command);
    expect(code, `${stage}: ${stderr}`).toBe(0);
    const evaluated = stderr.split('"evaluated"').length - 1;
    const evaluations = (family.trials + family.comparisons + 1) * family.tasks.length;
    expect(evaluated, stage).toBe(evaluations - scoresIn(events).length);
    expect(stderr, stage).not.toContain("writing every shard again");
    expect((await readdir(disk.path)).toSorted(), stage).toEqual(["lost+found", "model"]);
    expect(await digestsOf(out), stage).toEqual(reference);
    await disk.unmount();
  }
});
