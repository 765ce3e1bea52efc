// Reads a coordinator's journal, and checks a finished job's history against what is promised about it.
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";

export interface JournalEvent {
  readonly type: string;
  readonly candidateId?: string;
  readonly task?: string;
  readonly shard?: number;
  readonly coefficients?: Readonly<Record<string, number>>;
  readonly score?: { readonly score: number };
  readonly part?: { readonly pieces: number; readonly first: number; readonly end: number };
  readonly problem?: string;
}

/**
 * A coordinator locks its journal, so a copy is read; nothing may be written meanwhile if all events are to be there. Fails
 * when the database is damaged; one that was not begun has no events.
 */
export async function readJournal(stateDirectory: string): Promise<{ job: string; event: JournalEvent }[]> {
  const copy = await mkdtemp(join(tmpdir(), "amalgam-journal-"));
  try {
    for (const name of await readdir(stateDirectory)) {
      if (name.startsWith("journal.sqlite")) await cp(join(stateDirectory, name), join(copy, name));
    }
    const database = new DatabaseSync(join(copy, "journal.sqlite"));
    expect(database.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    const isEmpty = database.prepare("SELECT name FROM sqlite_schema").all().length === 0;
    const rows = isEmpty ? [] : database.prepare("SELECT job, event FROM events ORDER BY position").all();
    database.close();
    return rows.map((row) => ({
      job: String(row["job"]),
      event: JSON.parse(String(row["event"])) as JournalEvent,
    }));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

export interface Expected {
  readonly trials: number;
  readonly tasks: readonly string[];
  readonly comparisons: number;
}

/**
 * Every trial was proposed once and in order, every candidate scored once on every item of every task
 * (on the first parts of them where it lost its race), every shard written once (again
 * only after its staging directory was lost), one recommendation, one publication at the end, and nothing failed.
 */
export function checkHistory(events: readonly JournalEvent[], { trials, tasks, comparisons }: Expected): void {
  const of = (type: string): JournalEvent[] => events.filter((event) => event.type === type);
  expect(of("failed").concat(of("candidateFailed"), of("restarted"))).toEqual([]);
  const proposed = of("proposed").map(({ candidateId }) => candidateId);
  expect(proposed).toEqual(Array.from({ length: trials }, (_, index) => `t${index}`));
  const scored = Map.groupBy(of("scored"), ({ candidateId, task }) => `${candidateId}/${task}`);
  expect(scored.size).toBe((trials + comparisons + 1) * tasks.length);
  const beaten = new Set(of("raceLost").map(({ candidateId }) => candidateId));
  for (const [key, scores] of scored) {
    const parts = scores.map(({ part }) => part ?? { pieces: 1, first: 0, end: 1 });
    for (const [index, { first }] of parts.entries()) expect(first).toBe(index === 0 ? 0 : parts[index - 1]!.end);
    const { pieces, end } = parts.at(-1)!;
    expect(end === pieces).toBe(!beaten.has(key.split("/")[0]));
  }
  const lost = events.findLastIndex(({ type }) => type === "stagingLost");
  for (const life of [events.slice(0, lost + 1), events.slice(lost + 1)]) {
    const written = life.filter(({ type }) => type === "shardWritten").map(({ shard }) => shard);
    expect(new Set(written).size).toBe(written.length);
  }
  expect(of("recommended")).toHaveLength(1);
  expect(of("published")).toHaveLength(1);
  expect(events.at(-1)?.type).toBe("published");
}

/** What the optimizer and the evaluators said, in an order that does not depend on who was faster. */
export function decisions(events: readonly JournalEvent[]): unknown {
  const kinds = ["searchBegun", "proposed", "scored", "raceLost", "searchStopped", "recommended"];
  const kept = events.filter(({ type }) => kinds.includes(type));
  return kept.map((event) => JSON.stringify(event)).toSorted();
}
