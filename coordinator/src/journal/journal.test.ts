import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";
import { afterAll, expect, test } from "vitest";
import type { JobEvent } from "../job/events.ts";
import { openJournal } from "./journal.ts";

const directory = mkdtempSync(join(tmpdir(), "amalgam-journal-"));
let files = 0;
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const newPath = (): string => join(directory, `${files++}`, "journal.sqlite");

const written = (shard: number): JobEvent => ({ type: "shardWritten", shard, segmentSha256: ["ä\u2028\0", "b"] });

function failure(action: () => unknown): AmalgamError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(AmalgamError);
    return toAmalgamError(error);
  }
  throw new Error("it did not fail");
}

const script = join(import.meta.dirname, "testing", "append-forever.ts");
const startChild = (path: string): ChildProcessByStdio<null, Readable, Readable> =>
  spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "pipe"] });

test("a journal opened again has every event in its order, and a larger epoch", () => {
  const path = newPath();
  for (let epoch = 1; epoch <= 3; epoch++) {
    using journal = openJournal(path);
    expect(journal.epoch).toBe(epoch);
    expect(journal.jobIds()).toEqual(epoch === 1 ? [] : ["b", "a"]);
    expect(journal.events("a")).toEqual(Array.from({ length: 2 * (epoch - 1) }, (_, shard) => written(shard)));
    expect(journal.events("no such job")).toEqual([]);
    journal.append("b", []);
    journal.append("b", [{ type: "published" }]);
    journal.append("a", [written(2 * epoch - 2), written(2 * epoch - 1)]);
  }
});

test("an append is all or nothing, and the journal goes on after one that failed", () => {
  using journal = openJournal(newPath());
  journal.append("job", [written(0)]);
  const score = { items: 1, metric: "accuracy", score: 1, standardError: 0, loss: Number.NaN };
  expect(() => journal.append("job", [written(1), { type: "scored", candidateId: "t0", task: "t", score }])).toThrow(
    "the journal cannot keep loss = NaN",
  );
  expect(journal.events("job")).toEqual([written(0)]);
  journal.append("job", [written(2)]);
  expect(journal.events("job")).toEqual([written(0), written(2)]);
});

test("a journal that cannot grow says so, and keeps what was acknowledged", async () => {
  const path = newPath();
  // 200 KiB for each file; without the trap the signal would end the process before SQLite hears of it.
  const command = `trap '' XFSZ; ulimit -f 200; exec "$0" "$@"`;
  const child = spawn("bash", ["-c", command, process.execPath, script, path], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, problem] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, "exit")]);
  expect(Buffer.concat(problem).toString()).toContain(`${path}: cannot write the journal`);
  const acknowledged = Buffer.concat(output).toString().trim().split("\n").length;
  using journal = openJournal(path);
  expect(journal.events("job")).toHaveLength(acknowledged);
  journal.append("job", [written(acknowledged)]);
  expect(journal.events("job")).toHaveLength(acknowledged + 1);
});

test("a second coordinator is refused, in the same process and in another", async () => {
  const path = newPath();
  using journal = openJournal(path);
  const refused = `${path}: another Amalgam process works on this job or state directory`;
  expect(failure(() => openJournal(path))).toMatchObject({ code: "failed_precondition" });
  expect(failure(() => openJournal(path)).message).toContain(refused);
  const child = startChild(path);
  const [output] = await Promise.all([child.stderr.toArray(), once(child, "exit")]);
  expect(Buffer.concat(output).toString()).toContain(refused);
  expect(child.exitCode).not.toBe(0);
  journal.append("job", [written(0)]);
  expect(journal.events("job")).toEqual([written(0)]);
});

test("kill -9 between and during appends loses nothing that was acknowledged, and frees the lock", async () => {
  const path = newPath();
  let acknowledged = -1;
  for (let kill = 0; kill < 4; kill++) {
    const child = startChild(path);
    const lines = 7 + 31 * kill;
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      expect(Number(line)).toBe(acknowledged + 1);
      acknowledged++;
      if (++seen === lines) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    using journal = openJournal(path);
    expect(journal.epoch).toBe(2 * kill + 2);
    const shards = journal.events("job").map((event) => event.type === "shardWritten" && event.shard);
    // One more may have been synced than was acknowledged.
    expect([acknowledged + 1, acknowledged + 2]).toContain(shards.length);
    expect(shards).toEqual(shards.map((_, index) => index));
    acknowledged = shards.length - 1;
  }
});

test("files that are no journal are refused and left as they are", () => {
  const text = newPath();
  openJournal(text)[Symbol.dispose]();
  writeFileSync(text, "this is not a database, only long enough to look like one. ".repeat(200));
  const before = readFileSync(text);
  expect(failure(() => openJournal(text))).toMatchObject({ code: "data_loss" });
  expect(failure(() => openJournal(text)).message).toContain(`${text}: the journal is damaged`);
  expect(readFileSync(text)).toEqual(before);

  const foreign = newPath();
  openJournal(foreign)[Symbol.dispose]();
  rmSync(foreign);
  const database = new DatabaseSync(foreign);
  database.exec("CREATE TABLE events (mine TEXT); INSERT INTO events VALUES ('x')");
  database.close();
  expect(failure(() => openJournal(foreign)).message).toContain("is no journal of Amalgam");

  const newer = newPath();
  openJournal(newer)[Symbol.dispose]();
  const upgrade = new DatabaseSync(newer);
  upgrade.exec("PRAGMA user_version = 7");
  upgrade.close();
  const refused = failure(() => openJournal(newer));
  expect(refused).toMatchObject({ code: "failed_precondition" });
  expect(refused.message).toContain("has schema 7, this Amalgam reads schema 1");
  using unchanged = new DatabaseSync(newer);
  expect(unchanged.prepare("SELECT value FROM epoch").get()).toEqual({ value: 1 });
});

test("a journal whose pages were overwritten is not believed", () => {
  const path = newPath();
  {
    using journal = openJournal(path);
    journal.append(
      "job",
      Array.from({ length: 300 }, (_, shard) => written(shard)),
    );
  }
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 2 * 4096, 5 * 4096);
  writeFileSync(path, bytes);
  expect(failure(() => openJournal(path))).toMatchObject({ code: "data_loss" });
});

test("a state directory that cannot be made is named", () => {
  const blocked = join(directory, "file");
  writeFileSync(blocked, "");
  const path = join(blocked, "state", "journal.sqlite");
  expect(failure(() => openJournal(path)).message).toContain(`${path}: cannot open the journal`);
});
