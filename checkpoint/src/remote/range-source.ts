// A file of a server, read by ranges. Every answer is held to the version that was there at first: size and entity tag (or
// time of modification) must stay, or the file is refused; bytes of two versions are never mixed. Pieces of a long range are
// fetched side by side, and a piece whose connection broke goes on where it stopped.
import { CheckpointError } from "../errors.ts";
import type { OnData, ReadOptions, RemoteIdentity, RemoteSource } from "../source.ts";
import { type Ask, attempts, discard, exchange, type Reply, readBody, Transient, withRetries } from "./http.ts";
import { refusal } from "./refusals.ts";

export interface RemoteFile {
  readonly ask: Pick<Ask, "name" | "url" | "authorize">;
  readonly location: string;
  /** What names the version for good, where the location does: the commit of a Hub file. */
  readonly version?: string;
}

/** Long enough that a request costs little beside its bytes, short enough that losing one costs little. */
export const pieceBytes: number = 8 * 1024 * 1024;
const piecesInFlight = 4;
/** Most headers come with the first request. */
const firstBytes = 64 * 1024;
/** So many bytes of an attempt are progress: the server is not given up for what it breaks off later. */
const progressBytes = 64 * 1024;

interface Version {
  readonly byteLength: number;
  /** The file's own version, else the entity tag as sent, else the time of modification; undefined when there is none. */
  readonly validator: string | undefined;
}

/** Opens a remote file by reading its first bytes. Servers without ranges are refused. */
export async function openRemoteFile(file: RemoteFile, options: ReadOptions = {}): Promise<RemoteSource> {
  const { name } = file.ask;
  const opened = await withRetries(
    name,
    attempts.open,
    async () => {
      const reply = await exchange(rangeAsk(file, file.ask.url, 0, firstBytes, undefined), options);
      const version = versionOf(reply, file);
      const start = new Uint8Array(Math.min(firstBytes, version.byteLength));
      let at = 0;
      if (reply.status === 416) discard(reply.body);
      else {
        const last = rangeOf(reply, file)?.last ?? -1;
        if (last + 1 !== start.length) throw wrongRange(name, reply);
        const take = (chunk: Uint8Array): void => {
          fill(start, at, chunk, name);
          at += chunk.length;
        };
        await readBody(reply, take, options);
        if (at !== start.length) throw new Transient(`${reply.url.host} broke off its answer`);
      }
      return { version, start };
    },
    options,
  );
  return new OpenRemoteFile(file, opened.version, opened.start);
}

class OpenRemoteFile implements RemoteSource {
  readonly name: string;
  readonly location: string;
  readonly byteLength: number;
  readonly #file: RemoteFile;
  readonly #version: Version;
  /** The first bytes, which came with opening. */
  readonly #start: Uint8Array;
  #shortcut: URL | undefined;

  constructor(file: RemoteFile, version: Version, start: Uint8Array) {
    this.name = file.ask.name;
    this.location = file.location;
    this.byteLength = version.byteLength;
    this.#file = file;
    this.#version = version;
    this.#start = start;
  }

  identity(): RemoteIdentity {
    return { byteLength: this.byteLength, version: this.#version.validator ?? "" };
  }

  readInto(target: Uint8Array, offset: number, options: ReadOptions = {}): Promise<void> {
    return this.read(offset, offset + target.length, (bytes, at) => target.set(bytes, at - offset), options);
  }

  async read(begin: number, end: number, onData: OnData, options: ReadOptions = {}): Promise<void> {
    if (!Number.isSafeInteger(begin) || begin < 0 || end > this.byteLength) {
      const rule = `bytes [${begin}, ${end}) were asked for, the file has ${this.byteLength}`;
      throw new CheckpointError({ file: this.name, rule });
    }
    if (begin >= end) return;
    const known = Math.min(end, this.#start.length);
    if (begin < known) onData(this.#start.subarray(begin, known), begin);
    await this.#fetch(Math.max(begin, known), end, onData, options);
  }

  async verifyUnchanged(options: ReadOptions = {}): Promise<void> {
    // Not one byte: servers have been seen that take `bytes=0-0` for no range at all.
    const end = Math.min(16, this.byteLength);
    await this.#fetchPiece(0, end, () => undefined, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #fetch(begin: number, end: number, onData: OnData, { signal }: ReadOptions): Promise<void> {
    const stopped = new AbortController();
    const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
    let next = begin;
    const work = async (): Promise<void> => {
      while (next < end) {
        const from = next;
        next = Math.min(end, from + pieceBytes);
        await this.#fetchPiece(from, next, onData, { signal: either });
      }
    };
    const workers = Array.from({ length: Math.min(piecesInFlight, Math.ceil((end - begin) / pieceBytes)) }, work);
    try {
      await Promise.all(workers);
    } finally {
      // Nothing may be handed over after this settled: the receiver's memory may be someone else's by then.
      stopped.abort();
      await Promise.allSettled(workers);
    }
  }

  async #fetchPiece(begin: number, end: number, onData: OnData, options: ReadOptions): Promise<void> {
    if (begin >= end) return;
    let at = begin;
    const attempt = async (progress: () => void): Promise<void> => {
      const started = at;
      const reply = await this.#ask(at, end, options);
      const last = this.#checkReply(reply, at, end);
      await readBody(
        reply,
        (chunk) => {
          if (at + chunk.length > last + 1) throw wrongRange(this.name, reply);
          onData(chunk, at);
          at += chunk.length;
          if (at - started >= progressBytes) progress();
        },
        options,
      );
      if (at < end) throw new Transient(`${reply.url.host} broke off its answer`);
    };
    await withRetries(this.name, attempts.read, attempt, options);
  }

  /** The Hub sends readers on to a store, by links that live for minutes: one link serves many pieces. */
  async #ask(begin: number, end: number, options: ReadOptions): Promise<Reply> {
    const { url } = this.#file.ask;
    const { validator } = this.#version;
    if (this.#shortcut !== undefined) {
      const reply = await exchange(rangeAsk(this.#file, this.#shortcut, begin, end, validator), options);
      if (reply.status < 400) return reply;
      discard(reply.body);
      this.#shortcut = undefined;
    }
    const reply = await exchange(rangeAsk(this.#file, url, begin, end, validator), options);
    if (reply.status === 206 && reply.url.origin !== url.origin) this.#shortcut = reply.url;
    return reply;
  }

  /** Position of the last byte of an answer that is what was asked for. */
  #checkReply(reply: Reply, begin: number, end: number): number {
    try {
      const { byteLength, validator } = versionOf(reply, this.#file);
      if (byteLength !== this.byteLength || validator !== this.#version.validator) throw changed(this.name);
      const range = rangeOf(reply, this.#file);
      if (range === undefined || range.first !== begin || range.last >= end) throw wrongRange(this.name, reply);
      return range.last;
    } catch (error) {
      reply.body.destroy();
      throw error;
    }
  }
}

function rangeAsk({ ask, version }: RemoteFile, url: URL, begin: number, end: number, validator?: string): Ask {
  // A weak tag may not be used here (RFC 9110, 13.1.5): the answers are compared in any case.
  const isUsable = validator !== undefined && version === undefined && !validator.startsWith("W/");
  const ifRange = isUsable ? { "if-range": validator } : {};
  return { ...ask, url, method: "GET", headers: { range: `bytes=${begin}-${end - 1}`, ...ifRange } };
}

/** The version that an answer belongs to. Throws when it is no answer to a range. */
function versionOf(reply: Reply, file: RemoteFile): Version {
  const { status, headers, first } = reply;
  const { name } = file.ask;
  const validator = file.version ?? headers.etag ?? headers["last-modified"];
  const commit = first["x-repo-commit"] ?? file.version;
  if (file.version !== undefined && commit !== file.version && status < 300) {
    reply.body.destroy();
    throw new CheckpointError({ file: name, rule: `${file.ask.url.host} answered with another commit` });
  }
  if (status === 206 || status === 416) {
    const total = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(headers["content-range"] ?? "")?.[1];
    if (total === undefined) {
      discard(reply.body);
      throw new CheckpointError({ file: name, rule: `the server does not say how long the file is (${status})` });
    }
    return { byteLength: Number(total), validator };
  }
  if (status === 200) {
    // All of the file: the server knows no ranges, or has another version than the one that was asked for.
    reply.body.destroy();
    return { byteLength: Number(headers["content-length"] ?? Number.NaN), validator };
  }
  discard(reply.body);
  throw refusal(name, reply);
}

function rangeOf(reply: Reply, { ask: { name } }: RemoteFile): { first: number; last: number } | undefined {
  if (reply.status === 200) {
    const hint = "serve the files with a server that supports `Range`, or download them";
    throw new CheckpointError({ file: name, rule: `${reply.url.host} does not support range requests`, hint });
  }
  const match = /^bytes (\d+)-(\d+)\//.exec(reply.headers["content-range"] ?? "");
  return match === null ? undefined : { first: Number(match[1]), last: Number(match[2]) };
}

/** Throws when the bytes are more than were asked for. */
function fill(target: Uint8Array, at: number, chunk: Uint8Array, name: string): void {
  if (at + chunk.length > target.length) {
    throw new CheckpointError({ file: name, rule: "the server sent more bytes than it was asked for" });
  }
  target.set(chunk, at);
}

function wrongRange(file: string, { url, headers }: Reply): CheckpointError {
  return new CheckpointError({
    file,
    rule: `${url.host} sent other bytes than it was asked for (${headers["content-range"] ?? "no content-range"})`,
    hint: "a cache or proxy on the way may be at fault",
  });
}

export function changed(file: string): CheckpointError {
  return new CheckpointError({
    file,
    rule: "the file changed on the server after it was opened (size or entity tag)",
    hint: "leave inputs alone until the job ends, then run it again",
    code: "failed_precondition",
  });
}
