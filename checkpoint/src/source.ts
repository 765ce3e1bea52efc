// Where checkpoint bytes come from: range reads of a regular file here, of a server's file in remote/. Whole-file reads, text
// and caching are not its business.
import { type BigIntStats, constants, readSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { CheckpointError } from "./errors.ts";
import { systemError, withSystemErrors } from "./system-error.ts";

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that can be read by range. `readInto` fills the whole target or throws: there are no short reads. */
export interface ByteSource extends AsyncDisposable {
  /** The name used in errors. */
  readonly name: string;
  readonly byteLength: number;
  /** Fills `target` from byte `offset`. The target may lie in shared memory. */
  readInto(target: Uint8Array, offset: number, options?: ReadOptions): Promise<void>;
}

/** What tells whether a file is still the same one. Valid on the machine where it was taken. */
export interface FileIdentity {
  readonly byteLength: number;
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
}

/** What tells versions of a remote file apart, on any machine. */
export interface RemoteIdentity {
  readonly byteLength: number;
  /** A commit of the Hub, an entity tag or a time of modification; empty when the server tells none of them. */
  readonly version: string;
}

export type SourceIdentity = FileIdentity | RemoteIdentity;

/** A file of a checkpoint, wherever it lies, open for range reads. */
export interface CheckpointSource extends ByteSource {
  /** The identity taken when the file was opened. */
  identity(): SourceIdentity;
  /** Throws when the file that was opened, or what its place has now, is no longer the same. */
  verifyUnchanged(options?: ReadOptions): Promise<void>;
}

/** A {@link CheckpointSource} over an open regular file. */
export interface FileSource extends CheckpointSource {
  readonly path: string;
  identity(): FileIdentity;
  /** Like `readInto`, blocking: for worker threads that read straight into the kernels' memory. */
  readIntoSync(target: Uint8Array, offset: number): void;
}

/** A {@link CheckpointSource} over a file of a server. */
export interface RemoteSource extends CheckpointSource {
  readonly location: string;
  identity(): RemoteIdentity;
  /**
   * Hands over the bytes `[begin, end)` as they come: each once, in runs of a few kilobytes, in no order.
   * After it settled `onData` is not called any more.
   */
  read(begin: number, end: number, onData: OnData, options?: ReadOptions): Promise<void>;
}

/** `at` is the position of the first byte of `bytes` in the file. */
export type OnData = (bytes: Uint8Array, at: number) => void;

export interface OpenFileOptions {
  /** The name used in errors; the path by default. */
  readonly name?: string;
  /** Refuse a symbolic link as last component of the path. */
  readonly noFollow?: boolean;
  /** Refuse the file unless it is still this one. */
  readonly expected?: FileIdentity;
}

// Large enough to run at disk speed, small enough that an abort is seen within milliseconds.
const maxReadBytes = 32 * 1024 * 1024;

/** Opens a regular file for range reads. Directories, FIFOs, devices and sockets are refused without reading them. */
export async function openFileSource(path: string, options: OpenFileOptions = {}): Promise<FileSource> {
  const name = options.name ?? path;
  // O_NONBLOCK: opening a FIFO must fail the check below, not hang until someone writes to it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (options.noFollow ? constants.O_NOFOLLOW : 0);
  const handle = await withSystemErrors(name, "open it", () => open(path, flags));
  try {
    const stats = await withSystemErrors(name, "read its size", () => handle.stat({ bigint: true }));
    if (!stats.isFile())
      throw new CheckpointError({ file: name, rule: `is ${kindOf(stats)}, a regular file was expected` });
    const identity = identityOf(stats);
    if (options.expected !== undefined && !sameIdentity(identity, options.expected)) throw changed(name);
    return new OpenFile(path, name, handle, identity);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.byteLength === b.byteLength && a.mtimeNs === b.mtimeNs && a.inode === b.inode && a.device === b.device;
}

class OpenFile implements FileSource {
  readonly path: string;
  readonly name: string;
  readonly byteLength: number;
  readonly #handle: FileHandle;
  readonly #identity: FileIdentity;
  #closed: Promise<void> | undefined;

  constructor(path: string, name: string, handle: FileHandle, identity: FileIdentity) {
    this.path = path;
    this.name = name;
    this.byteLength = identity.byteLength;
    this.#handle = handle;
    this.#identity = identity;
  }

  identity(): FileIdentity {
    return this.#identity;
  }

  async readInto(target: Uint8Array, offset: number, options: ReadOptions = {}): Promise<void> {
    this.#checkRange(target.length, offset);
    let done = 0;
    while (done < target.length) {
      options.signal?.throwIfAborted();
      const length = Math.min(maxReadBytes, target.length - done);
      const call = () => this.#handle.read(target, done, length, offset + done);
      const { bytesRead } = await withSystemErrors(this.name, "read it", call);
      if (bytesRead === 0) throw this.#short(offset + done);
      done += bytesRead;
    }
  }

  readIntoSync(target: Uint8Array, offset: number): void {
    this.#checkRange(target.length, offset);
    let done = 0;
    while (done < target.length) {
      const length = Math.min(maxReadBytes, target.length - done);
      let bytesRead: number;
      try {
        bytesRead = readSync(this.#handle.fd, target, done, length, offset + done);
      } catch (error) {
        throw systemError(this.name, "read it", error);
      }
      if (bytesRead === 0) throw this.#short(offset + done);
      done += bytesRead;
    }
  }

  async verifyUnchanged(): Promise<void> {
    const held = await withSystemErrors(this.name, "read its size", () => this.#handle.stat({ bigint: true }));
    const named = await withSystemErrors(this.name, "find it again", () => stat(this.path, { bigint: true }));
    for (const stats of [held, named]) if (!sameIdentity(identityOf(stats), this.#identity)) throw changed(this.name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#handle.close();
    return this.#closed;
  }

  #checkRange(length: number, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > this.byteLength) {
      throw new CheckpointError({
        file: this.name,
        rule: `bytes [${offset}, ${offset + length}) were asked for, the file has ${this.byteLength}`,
      });
    }
  }

  #short(offset: number): CheckpointError {
    return new CheckpointError({
      file: this.name,
      rule: `it ended at byte ${offset}, but had ${this.byteLength} bytes when it was opened`,
      hint: "it was cut while in use: leave inputs alone until the job ends",
    });
  }
}

function changed(file: string): CheckpointError {
  return new CheckpointError({
    file,
    rule: "the file changed after it was checked (size, modification time or inode)",
    hint: "leave inputs alone until the job ends, then run it again",
  });
}

function identityOf(stats: BigIntStats): FileIdentity {
  return { byteLength: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino, device: stats.dev };
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
