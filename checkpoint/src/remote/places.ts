// The three kinds of remote places behind one door: pin a location, open a file, list and read a folder.
import { CheckpointError } from "../errors.ts";
import { formatRemote, type HttpLocation, joinRemote, parseRemote, type RemoteLocation } from "../location.ts";
import { knownSideFiles } from "../side-files.ts";
import {
  type CheckpointSource,
  openFileSource,
  type ReadOptions,
  type SourceIdentity,
  sameIdentity,
} from "../source.ts";
import { authorizeHub, cachedFile, hubFileUrl, listHub, pinHub } from "./hub.ts";
import { changed, openRemoteFile, type RemoteFile } from "./range-source.ts";
import { authorizeS3, listS3, s3Url } from "./s3.ts";
import { fetchWhole, type Presence, presence } from "./whole.ts";

/** The same location, with what may move replaced by what it names now: a revision of the Hub by its commit. */
export async function pinRemote(location: string, options: ReadOptions = {}): Promise<string> {
  return formatRemote(await pin(location, options));
}

/** Opens a remote file for range reads; one of the Hub from the local cache where that has it. */
export async function openRemote(
  location: string,
  { expected, ...options }: ReadOptions & { readonly expected?: SourceIdentity } = {},
): Promise<CheckpointSource> {
  const parsed = await pin(location, options);
  const source = await openPinned(parsed, options);
  if (expected === undefined || isSame(source.identity(), expected)) return source;
  await source[Symbol.asyncDispose]();
  throw changed(source.name);
}

/** Names of the files in a folder; on web servers, which have no lists, those of the names we know that are there. */
export async function listRemote(folder: RemoteLocation, options: ReadOptions = {}): Promise<readonly string[]> {
  switch (folder.kind) {
    case "http":
      return listHttp(folder, options);
    case "s3":
      return listS3(folder, options);
    case "hub":
      return listHub(folder, options);
  }
}

/** Reads a whole file of at most `maxBytes`. */
export async function readRemote(file: RemoteLocation, maxBytes: number, options: ReadOptions): Promise<Uint8Array> {
  const path = file.kind === "hub" ? await cachedFile(file) : undefined;
  if (path === undefined) return fetchWhole(fileOf(file).ask, maxBytes, options);
  await using source = await openFileSource(path, { name: formatRemote(file) });
  if (source.byteLength > maxBytes) {
    const rule = `has ${source.byteLength} bytes, more than ${maxBytes}`;
    throw new CheckpointError({ file: source.name, rule });
  }
  const bytes = new Uint8Array(source.byteLength);
  await source.readInto(bytes, 0, options);
  return bytes;
}

async function pin(location: string, options: ReadOptions): Promise<RemoteLocation> {
  const parsed = parseRemote(location);
  return parsed.kind === "hub" ? pinHub(parsed, options) : parsed;
}

async function openPinned(file: RemoteLocation, options: ReadOptions): Promise<CheckpointSource> {
  const path = file.kind === "hub" ? await cachedFile(file) : undefined;
  return path === undefined
    ? openRemoteFile(fileOf(file), options)
    : openFileSource(path, { name: formatRemote(file) });
}

function fileOf(file: RemoteLocation): RemoteFile {
  const location = formatRemote(file);
  switch (file.kind) {
    case "http":
      return { location, ask: { name: location, url: new URL(file.url) } };
    case "s3":
      return { location, ask: { name: location, url: s3Url(file), authorize: authorizeS3(file) } };
    case "hub":
      return {
        location,
        ask: { name: location, url: hubFileUrl(file), authorize: authorizeHub },
        version: file.revision,
      };
  }
}

/** A file of the Hub may come from the cache once and from the Hub another time: its commit is in its location. */
function isSame(found: SourceIdentity, expected: SourceIdentity): boolean {
  if ("version" in found && "version" in expected && found.version !== expected.version) return false;
  if ("inode" in found && "inode" in expected) return sameIdentity(found, expected);
  return found.byteLength === expected.byteLength;
}

const probesInFlight = 8;
const weightFiles = [
  "model.safetensors",
  "model.safetensors.index.json",
  "adapter_model.safetensors",
  "adapter_config.json",
  "pytorch_model.bin",
];

async function listHttp(folder: HttpLocation, options: ReadOptions): Promise<readonly string[]> {
  const found: string[] = [];
  const refused: Presence[] = [];
  const names = [...weightFiles, ...knownSideFiles].values();
  const probe = async (): Promise<void> => {
    for (const name of names) {
      const answer = await presence(fileOf(joinRemote(folder, name)).ask, options);
      if (answer === "present") found.push(name);
      else if (answer !== "absent") refused.push(answer);
    }
  };
  await Promise.all(Array.from({ length: probesInFlight }, probe));
  // Some stores refuse access to what is not there; only when that is all they say is it the user's business.
  const [refusal] = refused;
  if (refusal instanceof Error && !found.some((name) => weightFiles.includes(name))) throw refusal;
  return found.toSorted();
}
