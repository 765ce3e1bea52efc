// The digest of one staged tensor, out of the digests of the pieces it was merged in.
import { createHash } from "node:crypto";
import { forEachPiece } from "./digest.ts";
import type { ByteRange } from "./layout.ts";
import type { ByteSource, ReadOptions } from "./source.ts";

/** A run of a tensor's bytes, at absolute offsets of its file, with their sha256 as computed when they were merged. */
export interface MergedPiece extends ByteRange {
  readonly tensor: string;
  readonly sha256: string;
  /** Written and flushed since this process began: the operating system's word for it is enough. Others are read back. */
  readonly isFresh: boolean;
}

const bufferBytes = 4 * 1024 * 1024;

/**
 * sha256 of the tensor that lies in `range`, or the rule that its pieces break. Reads nothing for a tensor of one fresh piece;
 * else the whole tensor, once.
 */
export async function stagedDigests(
  source: ByteSource,
  range: ByteRange,
  pieces: readonly MergedPiece[],
  options: ReadOptions,
): Promise<string | { readonly rule: string }> {
  const sorted = pieces.toSorted((a, b) => a.begin - b.begin);
  let covered = range.begin;
  for (const { begin, end } of sorted) covered = begin === covered ? end : Number.NaN;
  if (covered !== range.end) return { rule: "no digest was given for it" };
  const [first] = sorted;
  if (sorted.length === 1 && first?.isFresh) return first.sha256;
  const whole = createHash("sha256");
  const buffer = new Uint8Array(Math.min(bufferBytes, range.end - range.begin));
  for (const { begin, end, sha256, isFresh } of sorted) {
    const piece = isFresh ? undefined : createHash("sha256");
    await forEachPiece(source, begin, end, buffer, options, (bytes) => {
      whole.update(bytes);
      piece?.update(bytes);
    });
    if (piece !== undefined && piece.digest("hex") !== sha256)
      return { rule: "its bytes on disk are not the bytes that were computed" };
  }
  return whole.digest("hex");
}
