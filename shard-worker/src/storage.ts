// Decides, once per input file of a job, whether this worker may read it from its own storage: the same path must hold a
// file of the same length with the same header as on the coordinator's. Reading the tensors is the threads' work.
import { createHash } from "node:crypto";
import { openFileSource } from "@amalgam/checkpoint";
import type { InputFile } from "@amalgam/proto";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";
import type { VerifiedFile } from "./thread-protocol.ts";

/** auto: direct where the storage is the coordinator's, else stream. */
export type StorageMode = "auto" | "direct" | "stream";

export interface Storage {
  /**
   * The verified file, or undefined when its bytes must be streamed from the coordinator.
   * @throws AmalgamError failed_precondition in direct mode, naming the file and what differs
   */
  locate(jobId: string, index: number, file: InputFile): Promise<VerifiedFile | undefined>;
  forget(jobId: string): void;
}

// safetensors allows headers of 100 MB, after 8 bytes of length.
const MAX_HEADER_BYTES = 100_000_008n;

/** @param onFallback told of every file that auto mode streams, and why */
export function createStorage(mode: StorageMode, onFallback: (file: string, reason: string) => void): Storage {
  const known = new Map<string, Map<number, Promise<VerifiedFile | undefined>>>();
  const decide = async (file: InputFile): Promise<VerifiedFile | undefined> => {
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
    forget: (jobId) => void known.delete(jobId),
  };
}

async function verify({ path, byteLength, headerBytes, headerSha256 }: InputFile): Promise<VerifiedFile> {
  await using source = await openFileSource(path);
  const differs = (what: string): Error => new Error(`${path}: not the coordinator's file: ${what}`);
  if (BigInt(source.byteLength) !== byteLength) {
    throw differs(`it has ${source.byteLength} bytes here and ${byteLength} there`);
  }
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > byteLength)
    throw differs(`its header cannot have ${headerBytes} bytes`);
  const header = new Uint8Array(Number(headerBytes));
  await source.readInto(header, 0);
  if (createHash("sha256").update(header).digest("hex") !== headerSha256) throw differs("its header is another one");
  return { path, identity: source.identity() };
}
