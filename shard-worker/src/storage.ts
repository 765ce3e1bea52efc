// Decides, once per input file of a job, whether this worker may read it itself: the same path, or remote location, must hold a
// file of the same length with the same header as on the coordinator's. Such a file stays open until the job is forgotten.
import { createHash } from "node:crypto";
import { type CheckpointSource, openSource } from "@amalgam/checkpoint";
import type { InputFile } from "@amalgam/proto";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";

/** auto: direct where the storage is the coordinator's, else stream. */
export type StorageMode = "auto" | "direct" | "stream";

/** A file as it was when its header was verified. */
export type InputSource = CheckpointSource;

/** Disposing closes the files of all jobs. */
export interface Storage extends AsyncDisposable {
  /**
   * The verified file, open for reading, or undefined when its bytes must be streamed from the coordinator.
   * @throws AmalgamError failed_precondition in direct mode, naming the file and what differs
   */
  locate(jobId: string, index: number, file: InputFile): Promise<InputSource | undefined>;
  forget(jobId: string): Promise<void>;
}

// safetensors allows headers of 100 MB, after 8 bytes of length.
const MAX_HEADER_BYTES = 100_000_008n;

/** @param onFallback told of every file that auto mode streams, and why */
export function createStorage(mode: StorageMode, onFallback: (file: string, reason: string) => void): Storage {
  const known = new Map<string, Map<number, Promise<InputSource | undefined>>>();
  const decide = async (file: InputFile): Promise<InputSource | undefined> => {
    if (mode === "stream") return undefined;
    try {
      return await verify(file);
    } catch (error) {
      const reason = toAmalgamError(error).message;
      if (mode === "direct") {
        const advice = 'mount the storage that the coordinator uses, or run the worker with storage "auto"';
        throw new AmalgamError("failed_precondition", `${reason}; ${advice}`, { cause: error });
      }
      onFallback(file.path, reason);
      return undefined;
    }
  };
  const forget = async (jobId: string): Promise<void> => {
    const located = [...(known.get(jobId)?.values() ?? [])];
    known.delete(jobId);
    const opened = await Promise.allSettled(located);
    for (const each of opened) if (each.status === "fulfilled") await each.value?.[Symbol.asyncDispose]();
  };
  return {
    locate(jobId, index, file) {
      let files = known.get(jobId);
      if (files === undefined) {
        files = new Map();
        known.set(jobId, files);
      }
      const located = files.get(index);
      if (located !== undefined) return located;
      const locating = decide(file);
      files.set(index, locating);
      // A failure is not remembered: the next attempt may find the storage mounted.
      locating.catch(() => files.delete(index));
      return locating;
    },
    forget,
    async [Symbol.asyncDispose]() {
      for (const jobId of known.keys()) await forget(jobId);
    },
  };
}

async function verify(file: InputFile): Promise<InputSource> {
  const { path, byteLength, headerBytes, headerSha256, version } = file;
  const expected = version === "" ? {} : { expected: { byteLength: Number(byteLength), version } };
  const source = await openSource(path, expected);
  try {
    const differs = (what: string): Error => new Error(`${path}: not the coordinator's file: ${what}`);
    if (BigInt(source.byteLength) !== byteLength) {
      throw differs(`it has ${source.byteLength} bytes here and ${byteLength} there`);
    }
    if (headerBytes > MAX_HEADER_BYTES || headerBytes > byteLength)
      throw differs(`its header cannot have ${headerBytes} bytes`);
    const header = new Uint8Array(Number(headerBytes));
    await source.readInto(header, 0);
    if (createHash("sha256").update(header).digest("hex") !== headerSha256) throw differs("its header is another one");
    return source;
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}
