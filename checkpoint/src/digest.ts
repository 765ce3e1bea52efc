// sha256 of byte ranges, streamed through one small buffer. Digests are lower-case hex.
import { createHash } from "node:crypto";
import type { ByteSource, ReadOptions } from "./source.ts";

const bufferBytes = 2 * 1024 * 1024;

/** sha256 of the bytes `[begin, end)` of a source. */
export async function sha256Range(
  source: ByteSource,
  begin: number,
  end: number,
  options: ReadOptions = {},
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(Math.min(bufferBytes, end - begin));
  await forEachPiece(source, begin, end, buffer, options, (piece) => hash.update(piece));
  return hash.digest("hex");
}

/** sha256 of bytes in memory. */
export function sha256Bytes(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Reads `[begin, end)` through `buffer` and hands over each piece, valid until the next. */
export async function forEachPiece(
  source: ByteSource,
  begin: number,
  end: number,
  buffer: Uint8Array,
  options: ReadOptions,
  use: (piece: Uint8Array) => void,
): Promise<void> {
  for (let at = begin; at < end; at += buffer.length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
    await source.readInto(piece, at, options);
    use(piece);
  }
}
