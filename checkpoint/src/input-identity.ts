// Is this still the same input? Cheap and local, or complete and portable. `Checkpoint.identityDigest` is neither: it covers
// names, sizes and headers, which all fine-tunes of one base share.
import { createHash } from "node:crypto";
import { type Checkpoint, type CheckpointFile, openCheckpointFile } from "./checkpoint.ts";
import { sha256Range } from "./digest.ts";
import { isRemote, parseRemote } from "./location.ts";
import type { InputFileRecord } from "./manifest.ts";
import type { ReadOptions } from "./source.ts";

/**
 * What tells versions of a remote file apart, on any machine: its commit on the Hub, else its entity tag or time of
 * modification. Empty for files of this machine, and where the server tells nothing.
 */
export function remoteVersion({ path, identity }: CheckpointFile): string {
  if (!isRemote(path)) return "";
  // The local cache has files of the Hub too: their version is in their location, wherever they are read from.
  const location = parseRemote(path);
  if (location.kind === "hub") return location.revision;
  return "version" in identity ? identity.version : "";
}

/** Text that changes with the file: its remote version, or for a file of this machine its time of modification and inode. */
export function fileVersion(file: CheckpointFile): string {
  const { identity } = file;
  if (isRemote(file.path) || !("inode" in identity)) return remoteVersion(file);
  return [identity.mtimeNs, identity.inode, identity.device].join(" ");
}

/**
 * sha256 (hex) of paths, sizes, versions (see {@link fileVersion}) and headers. It changes when a file is rewritten or replaced, costs
 * no read, and means something only on the machine where it was taken.
 */
export function localFingerprint(checkpoint: Checkpoint): string {
  const hash = createHash("sha256");
  for (const file of checkpoint.files) {
    hash.update(`${JSON.stringify([file.path, file.headerSha256, file.byteLength, fileVersion(file)])}\n`);
  }
  return hash.digest("hex");
}

/**
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
  for (const file of checkpoint.files) {
    const { name, byteLength, headerSha256 } = file;
    const version = remoteVersion(file);
    await using source = await openCheckpointFile(checkpoint, name);
    const sha256 = withContents ? await sha256Range(source, 0, byteLength, options) : undefined;
    await source.verifyUnchanged();
    records.push({
      name,
      byteLength,
      headerSha256,
      ...(version === "" ? {} : { version }),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
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
