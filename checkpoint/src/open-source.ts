// Opens a file by its location, wherever that is. Code for remote places is loaded when the first one is named.
import { isRemote } from "./location.ts";
import {
  type CheckpointSource,
  type FileSource,
  openFileSource,
  type ReadOptions,
  type RemoteSource,
  type SourceIdentity,
} from "./source.ts";

export interface OpenSourceOptions extends ReadOptions {
  /** The name used in errors of a path; the path by default. */
  readonly name?: string;
  /** Refuse a symbolic link as last component of a path. */
  readonly noFollow?: boolean;
  /** Refuse the file unless it is still this one. */
  readonly expected?: SourceIdentity;
}

/**
 * Opens a file for range reads: a {@link FileSource} for a path, and for a file of the Hub that the local cache has; else a
 * {@link RemoteSource}.
 */
export async function openSource(location: string, options: OpenSourceOptions = {}): Promise<CheckpointSource> {
  const { expected, signal, ...local } = options;
  if (isRemote(location)) {
    const { openRemote } = await import("./remote/places.ts");
    return openRemote(location, { signal, ...(expected === undefined ? {} : { expected }) });
  }
  if (expected !== undefined && !("inode" in expected)) throw new Error(`${location}: not the identity of a path`);
  return openFileSource(location, { ...local, ...(expected === undefined ? {} : { expected }) });
}

/** Whether a source is a file of this machine, which threads may open by its path and read without waiting for anyone. */
export const isFileSource = (source: CheckpointSource): source is FileSource => "readIntoSync" in source;

export const isRemoteSource = (source: CheckpointSource): source is RemoteSource => !isFileSource(source);
