// The folder of a checkpoint, on this machine or a remote one: what is in it, and where a name from untrusted text leads.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { allowedRoots, containedPath } from "./contained-path.ts";
import { CheckpointError } from "./errors.ts";
import { formatRemote, isRemote, isTensorFile, joinRemote, parseRemote } from "./location.ts";
import { openFileSource, type ReadOptions } from "./source.ts";
import { withSystemErrors } from "./system-error.ts";

export interface Folder {
  /** A path as it was given, or a location in its one spelling. */
  readonly root: string;
  /** Names of its files, sorted. */
  list(options?: ReadOptions): Promise<readonly string[]>;
  /** The location of a file. @throws CheckpointError when the name, or the link it is, leads outside of the folder */
  locate(name: string): Promise<string>;
  /** How errors name a file. */
  shown(name: string): string;
  /** All of a file of at most `maxBytes`. */
  read(name: string, maxBytes: number, options?: ReadOptions): Promise<Uint8Array>;
  /** Throws when a file of the list could not be read. */
  probe(name: string): Promise<void>;
}

/** The folder at a path or location; undefined when it is a file. A revision of the Hub becomes a commit. */
export async function openFolder(location: string, options: ReadOptions = {}): Promise<Folder | undefined> {
  if (isRemote(location)) return remoteFolder(location, options);
  const stats = await withSystemErrors(location, "open it", () => stat(location));
  return stats.isDirectory() ? localFolder(location) : undefined;
}

async function localFolder(root: string): Promise<Folder> {
  const roots = await allowedRoots(root);
  const shown = (name: string): string => join(root, name);
  const locate = (name: string): Promise<string> => containedPath(root, name, roots);
  const open = async (name: string) => openFileSource(await locate(name), { name: shown(name), noFollow: true });
  return {
    root,
    shown,
    locate,
    list: async () => (await withSystemErrors(root, "list it", () => readdir(root))).toSorted(),
    async read(name, maxBytes, options) {
      await using source = await open(name);
      if (source.byteLength > maxBytes) {
        throw new CheckpointError({ file: shown(name), rule: `has ${source.byteLength} bytes, more than ${maxBytes}` });
      }
      const bytes = new Uint8Array(source.byteLength);
      await source.readInto(bytes, 0, options);
      return bytes;
    },
    async probe(name) {
      await using _ = await open(name);
    },
  };
}

async function remoteFolder(text: string, options: ReadOptions): Promise<Folder | undefined> {
  if (isTensorFile(parseRemote(text))) return undefined;
  const { listRemote, pinRemote, readRemote } = await import("./remote/places.ts");
  const root = await pinRemote(text, options);
  const folder = parseRemote(root);
  return {
    root,
    shown: (name) => formatRemote(joinRemote(folder, name)),
    locate: async (name) => formatRemote(joinRemote(folder, name)),
    list: async (list = {}) => (await listRemote(folder, list)).toSorted(),
    read: (name, maxBytes, read = {}) => readRemote(joinRemote(folder, name), maxBytes, read),
    // What a server lists is there.
    probe: () => Promise.resolve(),
  };
}
