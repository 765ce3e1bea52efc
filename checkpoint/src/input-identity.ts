// Is this still the same input? Cheap and local, or complete and portable. `Checkpoint.identityDigest` is neither: it covers
// names, sizes and headers, which all fine-tunes of one base share.
import { createHash } from "node:crypto";
import { type Checkpoint, openCheckpointFile } from "./checkpoint.ts";
import { sha256Range } from "./digest.ts";
import type { InputFileRecord } from "./manifest.ts";
import type { ReadOptions } from "./source.ts";

/**
 * sha256 (hex) of paths, sizes, modification times, inodes and headers. It changes when a file is rewritten or replaced, costs
 * no read, and means something only on the machine where it was taken.
 */
export function localFingerprint(checkpoint: Checkpoint): string {
  const hash = createHash("sha256");
  for (const { path, headerSha256, identity } of checkpoint.files) {
    const { byteLength, mtimeNs, inode, device } = identity;
    hash.update(`${JSON.stringify([path, headerSha256, byteLength, `${mtimeNs}`, `${inode}`, `${device}`])}\n`);
  }
  return hash.digest("hex");
}

/**
 * The weight files of an input as the manifest records them. Throws when one changed since the checkpoint was opened, or while it
 * is read.
 * @param withContents read every file in full, for its sha256
 */
export async function recordInputs(
  checkpoint: Checkpoint,
  withContents: boolean,
  options: ReadOptions = {},
): Promise<InputFileRecord[]> {
  const records: InputFileRecord[] = [];
  for (const { name, byteLength, headerSha256 } of checkpoint.files) {
    await using source = await openCheckpointFile(checkpoint, name);
    const sha256 = withContents ? await sha256Range(source, 0, byteLength, options) : undefined;
    await source.verifyUnchanged();
    records.push({ name, byteLength, headerSha256, ...(sha256 === undefined ? {} : { sha256 }) });
  }
  return records;
}

/** sha256 (hex) of the contents of the weight files, in name order: the same wherever they are. Reads all of them. */
export async function contentDigest(checkpoint: Checkpoint, options: ReadOptions = {}): Promise<string> {
  const hash = createHash("sha256");
  for (const { byteLength, sha256 } of await recordInputs(checkpoint, true, options)) {
    hash.update(`${byteLength} ${sha256}\n`);
  }
  return hash.digest("hex");
}
