// Where a checkpoint or one of its files lies, as text: an absolute path, or a URL. Pure: nothing is opened here. What names a
// remote place is held to its grammar before it is used, so that no part of it can lead out of the place or carry credentials.
//   /models/base                                 a path of this machine
//   https://host/models/base[/file]              a folder, or one file, of a web server
//   s3://bucket/prefix[/file]                    the same in S3-compatible storage
//   hf://org/name[@revision][/file]              a model of the Hugging Face Hub
import { fileNameRule } from "./contained-path.ts";
import { CheckpointError, quoteName } from "./errors.ts";

export interface HttpLocation {
  readonly kind: "http";
  /** Without credentials, query and fragment; no slash at the end. */
  readonly url: string;
}

export interface S3Location {
  readonly kind: "s3";
  readonly bucket: string;
  /** Object key or prefix, no slash at either end; empty for a whole bucket. */
  readonly key: string;
}

export interface HubLocation {
  readonly kind: "hub";
  /** `org/name`; models of the Hub's first years have a name alone. */
  readonly id: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** A file at the top of the repository; undefined for the whole. */
  readonly file: string | undefined;
}

export type RemoteLocation = HttpLocation | S3Location | HubLocation;

/** What the Hub takes when no revision is named. */
const defaultRevision = "main";

const commitPattern = /^[0-9a-f]{40}$/;

/** Whether a revision names one commit for all time. */
export const isCommit = (revision: string): boolean => commitPattern.test(revision);

/** Whether text names a remote place, well or badly. */
export const isRemote = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text);

/** Parses a remote location. Throws a CheckpointError that never repeats credentials. */
export function parseRemote(text: string): RemoteLocation {
  const scheme = text.slice(0, text.indexOf("://")).toLowerCase();
  const rest = text.slice(scheme.length + 3);
  switch (scheme) {
    case "http":
    case "https":
      return parseHttp(text);
    case "s3":
      return parseS3(text, rest);
    case "hf":
      return parseHub(text, rest);
    default:
      throw refused(`${scheme}://`, "is no place that checkpoints are read from", "use https://, s3:// or hf://");
  }
}

/** The one spelling of a location; {@link parseRemote} reads it back. */
export function formatRemote(location: RemoteLocation): string {
  switch (location.kind) {
    case "http":
      return location.url;
    case "s3":
      return `s3://${location.bucket}${location.key === "" ? "" : `/${location.key}`}`;
    case "hub": {
      const { id, revision, file } = location;
      if (file === undefined && revision === defaultRevision) return `hf://${id}`;
      return `hf://${id}@${encodeURIComponent(revision)}${file === undefined ? "" : `/${file}`}`;
    }
  }
}

/** The location of a file of a folder. `name` comes from untrusted text: a plain file name, or an error. */
export function joinRemote(folder: RemoteLocation, name: string): RemoteLocation {
  const rule = fileNameRule(name);
  if (rule !== undefined) {
    throw new CheckpointError({ file: formatRemote(folder), rule: `the file name ${quoteName(name)} ${rule}` });
  }
  switch (folder.kind) {
    case "http":
      return { kind: "http", url: `${folder.url}/${encodeURIComponent(name)}` };
    case "s3":
      return { ...folder, key: folder.key === "" ? name : `${folder.key}/${name}` };
    case "hub":
      return { ...folder, file: name };
  }
}

/** Whether a location is one safetensors file rather than a folder. */
export function isTensorFile(location: RemoteLocation): boolean {
  return remoteName(location).endsWith(".safetensors");
}

/** Last part of a location: the name of the file or folder; of a Hub model without its owner and revision. */
export function remoteName(location: RemoteLocation): string {
  switch (location.kind) {
    case "http":
      return lastPart(decodeURIComponent(new URL(location.url).pathname)) || new URL(location.url).host;
    case "s3":
      return lastPart(location.key) || location.bucket;
    case "hub":
      return location.file ?? lastPart(location.id);
  }
}

/** `org/name[@revision]` as recipes write it, or undefined when the text is no such thing. */
export function parseHubReference(text: string): HubLocation | undefined {
  const at = text.indexOf("@");
  const id = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? defaultRevision : text.slice(at + 1);
  if (!id.includes("/") || !isHubId(id) || revisionRule(revision) !== undefined) return undefined;
  return { kind: "hub", id, revision, file: undefined };
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function parseHttp(text: string): HttpLocation {
  const url = URL.parse(text);
  if (url === null || url.hostname === "") throw refused(shown(text), "is not a URL", "write https://host/folder");
  if (url.username !== "" || url.password !== "") {
    const hint = "recipes, manifests and logs keep what they name: put the files behind s3:// or hf://, or mount them";
    throw refused(`${url.protocol}//${url.host}${url.pathname}`, "has a user name or password in it", hint);
  }
  if (url.search !== "" || url.hash !== "") {
    const hint = "signed links carry credentials and expire: name the files without, for example by s3://";
    throw refused(`${url.origin}${url.pathname}`, "has a query or a fragment", hint);
  }
  if (decoded(url.pathname) === undefined) {
    throw refused(url.origin, "has a broken % escape in its path", "write % as %25");
  }
  return { kind: "http", url: `${url.origin}${url.pathname.replace(/\/+$/, "")}` };
}

function parseS3(text: string, rest: string): S3Location {
  const [bucket = "", ...parts] = rest.replace(/\/+$/, "").split("/");
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and the older rules of other servers.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket) || bucket.includes("..")) {
    throw refused(shown(text), "does not begin with a bucket's name", "write s3://bucket/prefix");
  }
  // Clients and proxies take ".." out of paths, so such keys would name other objects than they say.
  if (parts.some((part) => part === "" || part === "." || part === "..") || hasControl(rest)) {
    throw refused(shown(text), "has an empty, `.` or `..` part, or control characters, in its key");
  }
  if (/[?#]/.test(rest)) throw refused(shown(text), "has a query or a fragment");
  return { kind: "s3", bucket, key: parts.join("/") };
}

function parseHub(text: string, rest: string): HubLocation {
  const match = /^([^/@]+(?:\/[^/@]+)?)(?:@([^/]+))?(?:\/([^/]+))?\/?$/.exec(rest);
  const [, id = "", escaped = defaultRevision, file] = match ?? [];
  const hint =
    "write hf://org/name, hf://org/name@revision or hf://org/name@revision/file; a slash in a revision is %2F";
  if (match === null || !isHubId(id)) throw refused(shown(text), "is not a model of the Hub", hint);
  const revision = decoded(escaped);
  const rule = revision === undefined ? "has a broken % escape" : revisionRule(revision);
  if (revision === undefined || rule !== undefined) throw refused(shown(text), `its revision ${rule}`, hint);
  const nameRule = file === undefined ? undefined : fileNameRule(file);
  if (nameRule !== undefined) throw refused(shown(text), `the file name ${quoteName(file ?? "")} ${nameRule}`);
  return { kind: "hub", id, revision, file };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The Hub's rules for names of repositories (huggingface_hub, `validate_repo_id`). */
function isHubId(id: string): boolean {
  if (id.includes("--") || id.includes("..") || id.endsWith(".git")) return false;
  const parts = id.split("/");
  return parts.length <= 2 && parts.every((part) => /^[A-Za-z0-9_]([\w.-]{0,94}[A-Za-z0-9_])?$/.test(part));
}

function revisionRule(revision: string): string | undefined {
  if (!/^[\w.+/-]{1,255}$/.test(revision)) return "has characters that no branch, tag or commit has";
  if (revision.split("/").some((part) => part === "" || part === "." || part === ".."))
    return "has an empty or `..` part";
  return undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const hasControl = (text: string): boolean => /[\u0000-\u001f\u007f]/.test(text);

/** Text that was not understood, without what could be a password. */
const shown = (text: string): string => quoteName(text.replace(/\/\/[^/]*@/, "//***@").replace(/[?#].*$/s, ""));

function refused(file: string, rule: string, hint?: string): CheckpointError {
  return new CheckpointError({ file, rule, ...(hint === undefined ? {} : { hint }) });
}
