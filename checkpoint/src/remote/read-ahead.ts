// Reads ahead of whoever goes through a remote file in small steps, so that one request serves many of them and the next one is
// under way meanwhile. Steps that are not one after another are left alone.
import type { ReadOptions, RemoteSource } from "../source.ts";
import { pieceBytes } from "./range-source.ts";

interface Window {
  readonly begin: number;
  readonly end: number;
  readonly bytes: Promise<Uint8Array>;
}

/** The same source; it keeps at most two windows of 8 MiB. */
export function readAhead(source: RemoteSource): RemoteSource {
  let last = 0;
  let windows: Window[] = [];

  const fetchWindow = (begin: number, options: ReadOptions): Window => {
    const end = Math.min(begin + pieceBytes, source.byteLength);
    const target = new Uint8Array(Math.max(0, end - begin));
    const bytes = source.readInto(target, begin, options).then(() => target);
    // Nobody may ask for this window; whoever does gets its error.
    bytes.catch(() => undefined);
    return { begin, end, bytes };
  };

  return {
    ...forward(source),
    async readInto(target, offset, options = {}) {
      const end = offset + target.length;
      const follows = offset === last;
      last = end;
      if (!follows || target.length >= pieceBytes || end > source.byteLength) {
        windows = [];
        return source.readInto(target, offset, options);
      }
      for (let at = offset; at < end; ) {
        windows = windows.filter((window) => window.end > at);
        if (windows.length === 0 || windows[0]!.begin > at) windows = [fetchWindow(at, options)];
        const window = windows[0]!;
        if (windows.length === 1 && window.end < source.byteLength) windows.push(fetchWindow(window.end, options));
        const bytes = await window.bytes;
        const part = bytes.subarray(at - window.begin, Math.min(end, window.end) - window.begin);
        target.set(part, at - offset);
        at += part.length;
      }
    },
  };
}

function forward(source: RemoteSource): Omit<RemoteSource, "readInto"> {
  return {
    name: source.name,
    location: source.location,
    byteLength: source.byteLength,
    identity: () => source.identity(),
    read: (...call) => source.read(...call),
    verifyUnchanged: (options) => source.verifyUnchanged(options),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}
