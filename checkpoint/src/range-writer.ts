// The sink for merged bytes: positioned writes into a file that already has its final size. It never creates, grows or renames a
// file. Nothing here blocks a thread.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CheckpointError } from "./errors.ts";
import { withSystemErrors } from "./system-error.ts";

/** Disposing waits for what is under way and closes the file. */
export interface RangeWriter extends AsyncDisposable {
  readonly path: string;
  /**
   * Writes all of `bytes` at the absolute `offset`; the range must lie inside the file, and the bytes stay as they are until this
   * resolves. Writes of one file follow each other: side by side they would only wait for the file's lock.
   */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /**
   * Resolves when all that was written to the file before the call, here or by others, is on the disk. Callers that come while a
   * flush is under way share the next one. After one failed flush all others fail: the kernel has dropped pages, and nobody
   * knows whose.
   */
  flush(): Promise<void>;
}

/**
 * Opens a preallocated file for writing by range. Throws when it is missing, a link, or not a regular file. Who flushes what others
 * write must open the file before they do: a descriptor that was open meanwhile is sure to be told of writes that failed.
 */
export async function openRangeWriter(path: string): Promise<RangeWriter> {
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await withSystemErrors(path, "open it for writing", () => open(path, flags));
  const { size, isFile } = await withSystemErrors(path, "read its size", async () => {
    const stats = await handle.stat();
    return { size: stats.size, isFile: stats.isFile() };
  });
  if (!isFile) {
    await handle.close();
    throw new CheckpointError({ file: path, rule: "is not a regular file" });
  }
  let writing: Promise<void> = Promise.resolve();
  let flushing: Promise<void> | undefined;
  let nextFlush: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  const writeAll = async (bytes: Uint8Array, offset: number): Promise<void> => {
    let done = 0;
    while (done < bytes.length) {
      const call = () => handle.write(bytes, done, bytes.length - done, offset + done);
      done += (await withSystemErrors(path, "write to it", call)).bytesWritten;
    }
  };
  const sync = async (): Promise<void> => {
    try {
      if (failure === undefined) await withSystemErrors(path, "flush it to disk", () => handle.datasync());
    } catch (error) {
      failure = { error };
    }
    if (failure !== undefined) throw failure.error;
  };
  const startFlush = (): Promise<void> => {
    nextFlush = undefined;
    const started = sync().finally(() => {
      if (flushing === started) flushing = undefined;
    });
    flushing = started;
    return started;
  };
  return {
    path,
    async write(bytes, offset) {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + bytes.length > size) {
        const rule = `bytes [${offset}, ${offset + bytes.length}) are outside the file, which has ${size}`;
        throw new CheckpointError({ file: path, rule });
      }
      const written = writing.then(() => writeAll(bytes, offset));
      writing = written.catch(() => undefined);
      await written;
    },
    flush() {
      if (flushing === undefined) return startFlush();
      // The flush under way may have passed by what was written since it began.
      nextFlush ??= flushing.then(startFlush, startFlush);
      return nextFlush;
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([writing, flushing, nextFlush]);
      await handle.close();
    },
  };
}
