// A full disk: one clear error, nothing half-written, and the same command goes on when there is space. Needs root, for a
// small file system; where it is missing these tests fail in CI and are skipped elsewhere.
import { execFile } from "node:child_process";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { Cluster, progress } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";
import { checkHistory } from "../harness/journal.ts";
import { run } from "../harness/program.ts";

const execute = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const mustRun = process.env["CI"] === "true";

/** A file system of `size` at `directory`. */
async function mountSmall(
  directory: string,
  size: string,
): Promise<AsyncDisposable & { grow(size: string): Promise<void> }> {
  await mkdir(directory, { recursive: true });
  await execute("mount", ["-t", "tmpfs", "-o", `size=${size}`, "amalgam-test", directory]);
  let isMounted = true;
  const unmount = async (): Promise<void> => {
    if (isMounted) await execute("umount", [directory]);
    isMounted = false;
  };
  // A test that times out disposes of nothing itself.
  onTestFinished(unmount);
  return {
    async grow(newSize) {
      await execute("mount", ["-o", `remount,size=${newSize}`, directory]);
    },
    [Symbol.asyncDispose]: unmount,
  };
}

test.skipIf(!isRoot && !mustRun).for([
  { what: "the model", size: "1m" },
  { what: "the journal", size: "96k" },
])(
  "a disk with no room for $what ends the run with one error, and the run goes on when there is room",
  async ({ size }) => {
    await using family = await createFamily({ trials: 3 });
    const directory = join(family.directory, "disk");
    await using disk = await mountSmall(directory, size);
    const out = join(directory, "model");
    const full = await run("search", family.recipe, out);
    expect(full.code, full.stdout + full.stderr).toBe(74);
    expect(full.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(full.stderr).toMatch(/^amalgam: .*(disk|space|full)/i);
    for (const name of await readdir(directory)) expect(name).toMatch(/^\.model\.amalgam-/);

    await disk.grow("64m");
    const resumed = await run("search", family.recipe, out);
    expect(resumed.code, resumed.stderr).toBe(0);
    const elsewhere = await family.outputIn("elsewhere");
    expect((await run("search", family.recipe, elsewhere)).code).toBe(0);
    expect(await digestsOf(out)).toEqual(await digestsOf(elsewhere));
  },
);

/** Writes until the disk is full; returns the file that fills it. */
async function fill(directory: string): Promise<string> {
  const path = join(directory, "filler");
  await using file = await open(path, "w");
  for (let bytes = 65_536; bytes >= 1; ) {
    try {
      const { bytesWritten } = await file.write(Buffer.alloc(bytes));
      if (bytesWritten < bytes) bytes >>= 1;
    } catch {
      bytes >>= 1;
    }
  }
  return path;
}

test.skipIf(!isRoot && !mustRun)(
  "the coordinator's disk fills up in the middle: it stops with one error, and the next one goes on",
  async () => {
    await using family = await createFamily();
    const directory = join(family.directory, "cluster");
    const stateDirectory = join(directory, "state");
    await mkdir(directory);
    await using _disk = await mountSmall(stateDirectory, "8m");
    await using cluster = await Cluster.start({ directory });
    const out = await family.outputIn("together");
    const jobId = await cluster.submit(family.recipe, out);
    await cluster.until(jobId, "some scores", (job) => progress(job) >= 6);
    const filler = await fill(stateDirectory);
    const { code } = await cluster.coordinator.exited;
    expect(code).toBe(74);
    expect(cluster.coordinator.stderr.split("\n").filter((line) => line.startsWith("amalgam: "))).toHaveLength(1);

    await rm(filler);
    await cluster.startCoordinator();
    await cluster.finished(jobId);
    checkHistory(await cluster.events(jobId), family);
    const alone = await family.outputIn("alone");
    expect((await run("search", family.recipe, alone)).code).toBe(0);
    expect(await digestsOf(out)).toEqual(await digestsOf(alone));
  },
);
