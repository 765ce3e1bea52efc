// A file error as the failure of a lease: its code says whether another attempt can help.
import { CheckpointError, isDiskFull } from "@amalgam/checkpoint";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";

/**
 * Any error of reading or writing a shard as an AmalgamError: resource_exhausted for a full disk, internal for a failing
 * one, failed_precondition for a file that is not what it was. The message names the file.
 * @param writtenBytes what the lease writes, told to the user when the disk is full
 */
export function fileFailure(cause: unknown, writtenBytes?: number): AmalgamError {
  if (!(cause instanceof CheckpointError)) return toAmalgamError(cause);
  if (isDiskFull(cause)) {
    const needs = writtenBytes === undefined ? "" : `; this shard needs ${writtenBytes} bytes`;
    return new AmalgamError("resource_exhausted", `${cause.message}${needs}`, { cause });
  }
  if (cause.code === "EIO") return new AmalgamError("internal", cause.message, { cause });
  if (cause.code === undefined) return new AmalgamError("failed_precondition", cause.message, { cause });
  return toAmalgamError(cause);
}
