// Small file system steps that survive a power cut: a file is on disk only after its fsync, a name only after its directory's.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { withSystemErrors } from "./system-error.ts";

/** Flushes a directory, so that names created, renamed or removed in it survive a power cut. */
export function syncDirectory(path: string): Promise<void> {
  return withSystemErrors(path, "flush the directory to disk", async () => {
    await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await handle.sync();
  });
}

/** Writes a whole file and flushes it. Replaces what was there; the name itself is durable after {@link syncDirectory}. */
export function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  return withSystemErrors(path, "write it", async () => {
    await using handle = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
    );
    await handle.writeFile(bytes);
    await handle.sync();
  });
}
