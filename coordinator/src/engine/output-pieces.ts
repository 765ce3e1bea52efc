// The output as the journal knows it: every segment that was written, where it lies and what its digest is.
import { join } from "node:path";
import { type Manifest, type MergedPiece, openFileSource, sha256Bytes, sha256Range } from "@amalgam/checkpoint";
import type { JobState } from "../job/state.ts";
import type { PreparedJob } from "./prepared-job.ts";

/** @param fresh shards that were written since this process began */
export function outputPieces(job: PreparedJob, state: JobState, fresh: ReadonlySet<number> = new Set()): MergedPiece[] {
  const pieces = job.plan.shards.flatMap(({ index, segments }) => {
    const digests = state.written.get(index) ?? [];
    return segments.map(({ tensor, outputOffset }, position): MergedPiece => {
      const begin = Number(outputOffset);
      const end = begin + job.segmentBytes(index, position);
      return { tensor, begin, end, sha256: digests[position] ?? "", isFresh: fresh.has(index) };
    });
  });
  // In no shard, so nobody merged them.
  const empty = job.plan.tensors.filter(({ elements }) => elements === 0);
  const nothing = sha256Bytes(new Uint8Array());
  return [
    ...pieces,
    ...empty.map(({ name, outputOffset }) => {
      return { tensor: name, begin: outputOffset, end: outputOffset, sha256: nothing, isFresh: true };
    }),
  ];
}

/** Whether a published model has these bytes. Its word is taken for whole tensors; parts of tensors are read. */
export async function hasPieces(
  directory: string,
  { tensors }: Manifest,
  pieces: readonly MergedPiece[],
): Promise<boolean> {
  for (const [tensor, parts] of Map.groupBy(pieces, (piece) => piece.tensor)) {
    const record = tensors.get(tensor);
    if (record === undefined) return false;
    if (parts.length === 1 && parts[0]!.sha256 !== record.sha256) return false;
    if (parts.length === 1) continue;
    await using source = await openFileSource(join(directory, record.file));
    for (const { begin, end, sha256 } of parts) {
      if (end > source.byteLength || (await sha256Range(source, begin, end)) !== sha256) return false;
    }
  }
  return true;
}
