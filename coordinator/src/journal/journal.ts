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
  /** @throws AmalgamError data_loss when an event cannot be read */
  events(jobId: string): JobEvent[];
  /**
   * Appends all or none, and syncs: when it returns, the events survive a power cut.
   * @throws AmalgamError resource_exhausted when the disk is full, data_loss when it cannot be written
   */
  append(jobId: string, events: readonly JobEvent[]): void;
}

/**
 * Opens or creates the journal at `path`.
 * @throws AmalgamError failed_precondition when another coordinator has it open or it is not a journal of this version,
 *   data_loss when it is damaged
 */
export function openJournal(path: string): Journal {
  const database = openDatabase(path);
  let epoch: number;
  try {
    epoch = prepare(database, path);
  } catch (error) {
    database.close();
    throw error instanceof AmalgamError ? error : openError(path, error);
  }
  const insert = database.prepare("INSERT INTO events (job, event) VALUES (?, ?)");
  const select = database.prepare("SELECT position, event FROM events WHERE job = ? ORDER BY position");
  const jobs = database.prepare("SELECT job FROM events GROUP BY job ORDER BY MIN(position)");
  return {
    epoch,
    jobIds: () => jobs.all().map((row) => String(row["job"])),
    events: (jobId) => select.all(jobId).map((row) => parseEvent(path, row)),
    append(jobId, events) {
      const rows = events.map((event) => JSON.stringify(event, onlyFinite));
      try {
        database.exec("BEGIN IMMEDIATE");
        for (const row of rows) insert.run(jobId, row);
        database.exec("COMMIT");
      } catch (error) {
        if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
        throw new AmalgamError(
          codeOf(error) === SQLITE_FULL ? "resource_exhausted" : "data_loss",
          `${path}: cannot write the journal: ${(error as Error).message}`,
          { cause: error },
        );
      }
    },
    [Symbol.dispose]() {
      if (database.isOpen) database.close();
    },
  };
}

function openDatabase(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return new DatabaseSync(path);
  } catch (error) {
    throw openError(path, error);
  }
}

/** Locks the database, makes sure that it is ours before anything is written, and returns the new epoch. */
function prepare(database: DatabaseSync, path: string): number {
  const number = (sql: string): number => Number(Object.values(database.prepare(sql).get() ?? {})[0]);
  // The lock is kept until the process ends, however it ends.
  database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;");
  const schema = number("PRAGMA user_version");
  const isNew = schema === 0 && number("SELECT COUNT(*) FROM sqlite_schema") === 0;
  if (!isNew && schema !== SCHEMA_VERSION) {
    const found = schema === 0 ? "is no journal of Amalgam" : `has schema ${schema}`;
    throw new AmalgamError(
      "failed_precondition",
      `${path}: the journal ${found}, this Amalgam reads schema ${SCHEMA_VERSION}; use the Amalgam that wrote it, or another state directory`,
    );
  }
  const damage = String(Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {})[0]);
  if (damage !== "ok") throw damaged(path, damage);
  database.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS epoch (value INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS events (
      position INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, event TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS events_of_job ON events (job, position);
    INSERT INTO epoch SELECT 0 WHERE NOT EXISTS (SELECT * FROM epoch);
    UPDATE epoch SET value = value + 1;
    PRAGMA user_version = ${SCHEMA_VERSION};
    COMMIT;`);
  return number("SELECT value FROM epoch");
}

function parseEvent(path: string, row: Readonly<Record<string, unknown>>): JobEvent {
  try {
    return JSON.parse(String(row["event"])) as JobEvent;
  } catch (error) {
    throw damaged(path, `event ${row["position"]} is no JSON`, error);
  }
}

/** JSON writes null for what it has no number for; a replay would then differ from what was lived through. */
function onlyFinite(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new RangeError(`the journal cannot keep ${key} = ${value}`);
}

// Result codes of SQLite (https://sqlite.org/rescode.html); extended codes have theirs in the low byte.
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

function codeOf(error: unknown): number | undefined {
  const code: unknown = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}

function openError(path: string, error: unknown): AmalgamError {
  const code = codeOf(error);
  const message = (error as Error).message;
  if (code === SQLITE_BUSY || code === SQLITE_LOCKED) {
    return new AmalgamError(
      "failed_precondition",
      `${path}: another Amalgam process works on this job or state directory; wait for it or stop it first`,
      { cause: error },
    );
  }
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return damaged(path, message, error);
  const fitting = code === SQLITE_FULL ? "resource_exhausted" : "failed_precondition";
  return new AmalgamError(fitting, `${path}: cannot open the journal: ${message}`, { cause: error });
}

function damaged(path: string, damage: string, cause?: unknown): AmalgamError {
  return new AmalgamError(
    "data_loss",
    `${path}: the journal is damaged (${damage}); restore it from a copy, or move it away to begin anew`,
    { cause },
  );
}
