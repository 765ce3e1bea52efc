// Keeps names that come from untrusted files inside the directory they belong to (CWE-22): one plain file name, and a symbolic
// link only when it stays inside the checkpoint, or points into the blob store of a Hugging Face cache.
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { CheckpointError } from "./errors.ts";
import { withSystemErrors } from "./system-error.ts";

/** Why `name` cannot be the name of one file in a directory, or undefined. Nothing is opened. */
export function fileNameRule(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") return "is not a file name";
  if (name.includes("/") || name.includes("\\"))
    return "must be a plain file name: separators could lead out of the directory";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return "contains control characters";
  if (Buffer.byteLength(name) > 255) return "is longer than a file name can be";
  return undefined;
}

/**
 * The real directories that files of a checkpoint may live in: the directory itself and, when it is a snapshot of a Hugging
 * Face cache (`models--x/snapshots/<revision>`), that model's `blobs`, where the links of a snapshot point.
 */
export async function allowedRoots(directory: string): Promise<readonly string[]> {
  const root = await withSystemErrors(directory, "open it", () => realpath(directory));
  const snapshots = dirname(root);
  if (basename(snapshots) !== "snapshots") return [root];
  const blobs = join(dirname(snapshots), "blobs");
  // A `blobs` that is itself a link would lead anywhere.
  const real = await realpath(blobs).catch(() => undefined);
  return real === blobs ? [root, blobs] : [root];
}

/** The real path of a file of a checkpoint. Throws when the name or the link it is leads outside `roots`. */
export async function containedPath(directory: string, name: string, roots: readonly string[]): Promise<string> {
  const rule = fileNameRule(name);
  if (rule !== undefined)
    throw new CheckpointError({ file: directory, rule: `the file name ${JSON.stringify(name)} ${rule}` });
  const path = join(directory, name);
  const stats = await withSystemErrors(path, "open it", () => lstat(path));
  const real = stats.isSymbolicLink()
    ? await withSystemErrors(path, "follow it", () => realpath(path))
    : join(roots[0]!, name);
  if (roots.some((root) => real.startsWith(root.endsWith(sep) ? root : root + sep))) return real;
  throw new CheckpointError({
    file: path,
    rule: "is a symbolic link that leaves the checkpoint's directory",
    hint: "replace the link with the file it points to",
  });
}
