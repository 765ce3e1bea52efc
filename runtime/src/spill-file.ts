// Bytes in a temporary file that has no name any more: the system frees it when the last reader is done or the process dies.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { AmalgamError, toAmalgamError } from "./errors.ts";

export interface SpillFile {
  readonly byteLength: number;
  /** The content in pieces; may be read by several at once, and to the end after `release`. */
  chunks(chunkBytes: number): AsyncIterable<Uint8Array>;
  /** Gives the file up once nobody reads it. */
  release(): void;
}

/** @throws AmalgamError resource_exhausted and others, naming the directory and the bytes needed */
export async function createSpillFile(directory: string, bytes: Uint8Array): Promise<SpillFile> {
  const { byteLength } = bytes;
  const handle = await writeUnnamed(directory, bytes);
  // One for the owner, one for each reader.
  let users = 1;
  const release = (): void => {
    users--;
    if (users === 0) void handle.close();
  };
  let released = false;
  return {
    byteLength,
    async *chunks(chunkBytes) {
      users++;
      try {
        for (let offset = 0; offset < byteLength; offset += chunkBytes) {
          const chunk = new Uint8Array(Math.min(chunkBytes, byteLength - offset));
          for (let done = 0; done < chunk.byteLength; ) {
            const { bytesRead } = await handle.read(chunk, done, chunk.byteLength - done, offset + done);
            if (bytesRead === 0) throw new AmalgamError("data_loss", "a temporary file of held shards was cut short");
            done += bytesRead;
          }
          yield chunk;
        }
      } finally {
        release();
      }
    },
    release() {
      if (!released) release();
      released = true;
    },
  };
}

async function writeUnnamed(directory: string, bytes: Uint8Array): Promise<FileHandle> {
  const path = join(directory, `amalgam-held-${randomUUID()}`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "wx+", 0o600);
    await unlink(path);
    await handle.writeFile(bytes);
    return handle;
  } catch (error) {
    await handle?.close();
    const { code, message } = toAmalgamError(error);
    const need = `cannot keep a shard of ${bytes.byteLength} bytes in ${directory}: ${message}`;
    throw new AmalgamError(code, `${need}; free some space there or give this process more memory`, { cause: error });
  }
}
