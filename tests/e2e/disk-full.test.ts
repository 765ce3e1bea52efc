// A full disk: one clear error, nothing half-written, and the same command goes on when there is space. Needs root, for a
// small file system; where it is missing these tests fail in CI and are skipped elsewhere.
import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { createFamily } from "../harness/family.ts";
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
