// The only truth about jobs: an append-only list of events in SQLite, synced before anything acts on them.
// WAL with synchronous=FULL survives power loss; the exclusive lock keeps a second coordinator out; the epoch grows with
// every start and fences off what was leased by an earlier one.
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AmalgamError } from "@amalgam/runtime";
import type { JobEvent } from "../job/events.ts";

const SCHEMA_VERSION = 1;

export interface Journal extends Disposable {
  /** Number of this start of the coordinator; larger than that of every earlier one. */
  readonly epoch: number;
  /** Ids of all jobs, oldest first. */
  jobIds(): string[];
  events(jobId: string): JobEvent[];
  /** Appends and syncs; when it returns, the events survive a power cut. */
  append(jobId: string, events: readonly JobEvent[]): void;
}

/**
 * Opens or creates the journal at `path`.
 * @throws AmalgamError failed_precondition when another coordinator has it open or a newer version wrote it
 */
export function openJournal(path: string): Journal {
  mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path);
  try {
    // The lock is taken by the first write and kept until the process ends, however it ends.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec(`
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, event TEXT NOT NULL) STRICT;
      CREATE INDEX IF NOT EXISTS events_of_job ON events (job, position);
      INSERT OR IGNORE INTO meta VALUES ('schema', ${SCHEMA_VERSION}), ('epoch', 0);
      UPDATE meta SET value = value + 1 WHERE key = 'epoch';`);
  } catch (error) {
    database.close();
    throw openError(path, error);
  }
  const meta = database.prepare("SELECT value FROM meta WHERE key = ?");
  const value = (key: string): number => Number((meta.get(key) as { value: number }).value);
  if (value("schema") !== SCHEMA_VERSION) {
    const found = value("schema");
    database.close();
    throw new AmalgamError(
      "failed_precondition",
      `${path}: the journal has schema ${found}, this Amalgam reads ${SCHEMA_VERSION}; use the Amalgam that wrote it, or another state directory`,
    );
  }
  const epoch = value("epoch");
  const insert = database.prepare("INSERT INTO events (job, event) VALUES (?, ?)");
  const select = database.prepare("SELECT event FROM events WHERE job = ? ORDER BY position");
  const jobs = database.prepare("SELECT job FROM events GROUP BY job ORDER BY MIN(position)");
  return {
    epoch,
    jobIds: () => jobs.all().map((row) => String(row["job"])),
    events: (jobId) => select.all(jobId).map((row) => JSON.parse(String(row["event"])) as JobEvent),
    append(jobId, events) {
      database.exec("BEGIN IMMEDIATE");
      try {
        for (const event of events) insert.run(jobId, JSON.stringify(event));
        database.exec("COMMIT");
      } catch (error) {
        if (database.isTransaction) database.exec("ROLLBACK");
        throw new AmalgamError("resource_exhausted", `${path}: cannot write the journal: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    [Symbol.dispose]() {
      if (database.isOpen) database.close();
    },
  };
}

function openError(path: string, error: unknown): AmalgamError {
  const message = (error as Error).message;
  if (/locked|busy/i.test(message)) {
    return new AmalgamError(
      "failed_precondition",
      `${path}: another Amalgam process works on this job or state directory; wait for it or stop it first`,
      { cause: error },
    );
  }
  return new AmalgamError("internal", `${path}: cannot open the journal: ${message}`, { cause: error });
}
