// Turns what the operating system answers into a CheckpointError that says what it means for the user.
import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { CheckpointError } from "./errors.ts";

const meanings: Record<string, { rule: string; hint?: string }> = {
  ENOENT: { rule: "no such file or directory" },
  EACCES: { rule: "permission denied", hint: "check the owner and mode of the file and its directory" },
  EPERM: { rule: "operation not permitted" },
  ELOOP: { rule: "is a symbolic link, which is not followed here", hint: "replace it with the file it points to" },
  ENOTDIR: { rule: "a part of the path is not a directory" },
  EISDIR: { rule: "is a directory, a file was expected" },
  ENXIO: { rule: "is a socket or a device, a regular file was expected" },
  EROFS: { rule: "the file system is read-only" },
  ENOSPC: { rule: "the disk is full", hint: "free some space and run the same command again: it resumes" },
  EDQUOT: { rule: "the disk quota is used up", hint: "free some space and run the same command again: it resumes" },
  EMFILE: { rule: "too many open files", hint: "raise the limit with ulimit -n" },
  EIO: { rule: "the disk reported an input/output error", hint: "check the disk and the system log" },
  EXDEV: { rule: "crosses a mount point", hint: "choose an output directory that is not itself a mount point" },
  EBUSY: { rule: "is in use or a mount point", hint: "choose an output directory that is not itself a mount point" },
};

/** Wraps a file system error; an error that already is a CheckpointError, or an abort, passes through unchanged. */
export function systemError(file: string, doing: string, cause: unknown): unknown {
  if (cause instanceof CheckpointError || !(cause instanceof Error) || !("code" in cause)) return cause;
  if (cause.name === "AbortError") return cause;
  const meaning = meanings[String(cause.code)];
  const rule = `cannot ${doing}: ${meaning?.rule ?? cause.message}`;
  return new CheckpointError({ file, rule, cause, ...(meaning?.hint === undefined ? {} : { hint: meaning.hint }) });
}

/** Runs a file system call; its errors come out through {@link systemError}. */
export async function withSystemErrors<T>(file: string, doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw systemError(file, doing, error);
  }
}

/** What stands at a path, links not followed; undefined when nothing does. */
export async function lstatIfAny(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw systemError(path, "open it", error);
  }
}
