// Whether the output of a job can be written from here: the staging directory must carry the coordinator's token, because
// the same path on another machine may be another disk.
import { open } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { WriteTask } from "@amalgam/proto";
import { AmalgamError } from "@amalgam/runtime";
import type { StorageMode } from "./storage.ts";

// The file holds a token and a few facts about the job.
const MAX_STAGING_BYTES = 65_536;

/** Where to write merged shards. */
export interface OutputTarget {
  /** Paths of the job's output files, by index. */
  readonly files: readonly string[];
}

/**
 * Where to write, or undefined when the shard must be held for the coordinator to fetch.
 * @throws AmalgamError invalid_argument when an output file would lie outside the staging directory
 */
export async function findTarget(task: WriteTask, mode: StorageMode): Promise<OutputTarget | undefined> {
  if (mode === "stream" || !(await carriesToken(task))) return undefined;
  const files = task.files.map((file) => {
    const path = resolve(task.stagingDirectory, file);
    const inside = relative(task.stagingDirectory, path);
    if (inside !== "" && inside !== ".." && !inside.startsWith(`..${sep}`)) return path;
    throw new AmalgamError(
      "invalid_argument",
      `${path}: output file outside the staging directory ${task.stagingDirectory}`,
    );
  });
  return { files };
}

async function carriesToken({ stagingDirectory, stagingToken }: WriteTask): Promise<boolean> {
  if (stagingToken === "") return false;
  try {
    await using handle = await open(join(stagingDirectory, "staging.json"), "r");
    const buffer = Buffer.alloc(MAX_STAGING_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, MAX_STAGING_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead).includes(stagingToken);
  } catch {
    // Not there, or not readable: not our storage.
    return false;
  }
}
