// The files of a staging directory (its shape is in staging.ts): made at their final size, recognised when an interrupted run left
// them, and their space found on the disk beforehand.
import { mkdir, open, readdir, readFile, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory, writeDurably } from "./durable.ts";
import { CheckpointError } from "./errors.ts";
import type { OutputLayout } from "./layout.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { lstatIfAny, withSystemErrors } from "./system-error.ts";

/** The file that says which plan the staged files belong to. */
export const stampName = "staging.json";

// Config, card, manifest and the like.
const defaultSideBytes = 1024 * 1024;

/** True when every file is there as {@link prepareStaging} made it, with the same stamp. */
export async function canResume(
  stagingDir: string,
  modelDir: string,
  layout: OutputLayout,
  stamp: string,
): Promise<boolean> {
  const stampFile = join(stagingDir, stampName);
  if ((await lstatIfAny(stampFile))?.isFile() !== true) return false;
  if ((await withSystemErrors(stampFile, "read it", () => readFile(stampFile, "utf8"))) !== stamp) return false;
  for (const { name, header, fileBytes } of layout.files) {
    const path = join(modelDir, name);
    if ((await lstatIfAny(path))?.isFile() !== true) return false;
    await using source = await openFileSource(path, { noFollow: true });
    if (source.byteLength !== fileBytes) return false;
    const staged = new Uint8Array(header.length);
    await source.readInto(staged, 0);
    if (Buffer.compare(staged, header) !== 0) return false;
  }
  return true;
}

/** A sparse file takes its space only as it is written; the time to learn that it will not fit is now. */
export async function checkSpace(
  stagingDir: string,
  modelDir: string,
  layout: OutputLayout,
  resumed: boolean,
  sideFileBytes: number = defaultSideBytes,
): Promise<void> {
  let needed = sideFileBytes;
  for (const { name, fileBytes } of layout.files) {
    const stats = await lstatIfAny(join(modelDir, name));
    needed += resumed && stats !== undefined ? Math.max(0, fileBytes - stats.blocks * 512) : fileBytes;
  }
  // Staged files of another plan are about to be deleted.
  const freed = resumed ? 0 : await allocatedBytes(modelDir);
  const { bavail, bsize } = await withSystemErrors(stagingDir, "ask for its free space", () => statfs(stagingDir));
  const available = bavail * bsize + freed;
  if (needed <= available) return;
  const cause = Object.assign(new Error("not enough space"), { code: "ENOSPC" });
  const rule = `the output needs ${needed} bytes, the disk has ${available}`;
  const hint = "free some space, or choose an output directory on another disk";
  throw new CheckpointError({ file: dirname(stagingDir), rule, hint, cause });
}

async function allocatedBytes(directory: string): Promise<number> {
  if ((await lstatIfAny(directory))?.isDirectory() !== true) return 0;
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += ((await lstatIfAny(join(directory, name)))?.blocks ?? 0) * 512;
  return bytes;
}

/** Clears the directory and creates every weight file with its header, at its final size. */
export async function prepareStaging(
  stagingDir: string,
  modelDir: string,
  layout: OutputLayout,
  stamp: string,
  options: ReadOptions,
): Promise<void> {
  const stampFile = join(stagingDir, stampName);
  await withSystemErrors(stagingDir, "clear it", async () => {
    await rm(stampFile, { force: true });
    await rm(modelDir, { recursive: true, force: true });
    await mkdir(modelDir);
  });
  for (const { name, header, fileBytes } of layout.files) {
    options.signal?.throwIfAborted();
    const path = join(modelDir, name);
    await withSystemErrors(path, "create it", async () => {
      await using handle = await open(path, "wx");
      await handle.writeFile(header);
      await handle.truncate(fileBytes);
      await handle.sync();
    });
  }
  await syncDirectory(modelDir);
  await writeDurably(stampFile, stamp);
  await syncDirectory(stagingDir);
  await syncDirectory(dirname(stagingDir));
}
