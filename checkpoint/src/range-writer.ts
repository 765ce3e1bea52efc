// The sink for merged bytes: positioned, blocking writes into a file that already has its final size. Blocking on purpose: worker
// threads write straight from the kernels' memory. It never creates, grows or renames a file.
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, writeSync } from "node:fs";
import { CheckpointError } from "./errors.ts";
import { systemError } from "./system-error.ts";

export interface RangeWriter extends Disposable {
  readonly path: string;
  /** Writes all of `bytes` at the absolute `offset`; the range must lie inside the file. */
  write(bytes: Uint8Array, offset: number): void;
  /** Flushes what was written to disk. After an error the file must be taken as lost: the kernel drops failed pages. */
  sync(): void;
}

/** Opens a preallocated file for writing by range. Throws when it is missing, a link, or not a regular file. */
export function openRangeWriter(path: string): RangeWriter {
  const fd = attempt(path, "open it for writing", () =>
    openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  const stats = fstatSync(fd);
  if (!stats.isFile()) {
    closeSync(fd);
    throw new CheckpointError({ file: path, rule: "is not a regular file" });
  }
  let open = true;
  return {
    path,
    write(bytes, offset) {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + bytes.length > stats.size) {
        const rule = `bytes [${offset}, ${offset + bytes.length}) are outside the file, which has ${stats.size}`;
        throw new CheckpointError({ file: path, rule });
      }
      let done = 0;
      while (done < bytes.length) {
        done += attempt(path, "write to it", () => writeSync(fd, bytes, done, bytes.length - done, offset + done));
      }
    },
    sync: () => attempt(path, "flush it to disk", () => fdatasyncSync(fd)),
    [Symbol.dispose]() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function attempt<T>(path: string, doing: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw systemError(path, doing, error);
  }
}
