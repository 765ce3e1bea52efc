// A file error as the failure of a lease: its code says whether another attempt can help.
import { CheckpointError, isDiskFull } from "@amalgam/checkpoint";
import { TaskError } from "./task-error.ts";

const EXHAUSTED = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * An error of reading or writing a shard: resource_exhausted for a full disk, internal for a failing one,
 * failed_precondition for a file that is missing or not what it was. The message names the file. Other errors pass.
 * @param writtenBytes what the lease writes, told to the user when the disk is full
 */
export function fileFailure(cause: unknown, writtenBytes?: number): unknown {
  if (!(cause instanceof CheckpointError)) return cause;
  const { code = "", message } = cause;
  if (isDiskFull(cause)) {
    const needs = writtenBytes === undefined ? "" : `; this shard needs ${writtenBytes} bytes`;
    return new TaskError("resource_exhausted", `${message}${needs}`, { cause });
  }
  if (code === "unavailable") return new TaskError("unavailable", message, { cause });
  if (code === "EIO") return new TaskError("internal", message, { cause });
  return new TaskError(EXHAUSTED.has(code) ? "resource_exhausted" : "failed_precondition", message, { cause });
}
