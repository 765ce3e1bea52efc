// What a person writes to name a checkpoint, and the location it means: a path, a URL, or `org/name[@revision]` of the Hugging
// Face Hub. A path that exists wins over a name of the Hub, as in mergekit.
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError } from "./errors.ts";
import { formatRemote, isRemote, joinRemote, parseHubReference, parseRemote } from "./location.ts";

/**
 * The one spelling of a reference, so that equal ones are recognised: `./a` and `a/` are `a`. Nothing is opened.
 * Throws a CheckpointError for a URL that cannot be used.
 */
export function canonicalReference(text: string): string {
  if (isRemote(text)) return formatRemote(parseRemote(text));
  const plain = text.replace(/\/+$/, "").replace(/^(?:\.\/+)+(?=.)/, "") || text;
  // Without its dot this would be a name of the Hub as well.
  return plain !== text && text.startsWith(".") && parseHubReference(plain) !== undefined ? `./${plain}` : plain;
}

/**
 * The location that a reference means: a remote one, or the path, which `baseDirectory` makes absolute. When nothing is at that
 * path and the text is no name of the Hub, it is the path all the same: opening it says what is missing.
 */
export async function resolveReference(text: string, baseDirectory?: string): Promise<string> {
  if (isRemote(text)) return formatRemote(parseRemote(text));
  const path = baseDirectory === undefined ? text : resolve(baseDirectory, text);
  const hub = parseHubReference(text);
  if (await exists(path)) return path;
  const [withoutRevision, revision] = splitRevision(text);
  if (revision !== undefined && (await exists(resolve(baseDirectory ?? "", withoutRevision)))) {
    const hint = hub === undefined ? "leave the revision out" : `leave the revision out, or write hf://${text}`;
    const rule = `is here on this machine, where nothing has a revision such as "${revision}"`;
    throw new CheckpointError({ file: resolve(baseDirectory ?? "", withoutRevision), rule, hint });
  }
  return hub === undefined ? path : formatRemote(hub);
}

/** The reference with its revision replaced by the commit that `root`, the location it was opened at, names. */
export function pinnedReference(reference: string, root: string): string {
  if (!isRemote(root)) return reference;
  const location = parseRemote(root);
  if (location.kind !== "hub") return reference;
  return isRemote(reference) ? root : `${location.id}@${location.revision}`;
}

/** The location of a file of the folder at a location. */
export function fileInLocation(location: string, name: string): string {
  return isRemote(location) ? formatRemote(joinRemote(parseRemote(location), name)) : join(location, name);
}

/** How a reference is called for short: its last part, without a revision. */
export function referenceName(reference: string): string {
  const [plain] = isRemote(reference) ? [reference.replace(/^hf:\/\/([^@]*).*$/, "$1")] : splitRevision(reference);
  return plain.slice(plain.lastIndexOf("/") + 1) || reference;
}

function splitRevision(text: string): [plain: string, revision: string | undefined] {
  const at = text.lastIndexOf("@");
  return at < 1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT" && error.code !== "ENOTDIR",
  );
