// The Hugging Face Hub: revisions become commits, commits name files, files that the local cache has are read from there.
// Routes and headers: https://huggingface.co/docs/hub/api, and huggingface_hub for the cache's layout.
import { readdir, readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileNameRule } from "../contained-path.ts";
import { CheckpointError } from "../errors.ts";
import { isJsonObject, parseJsonObject } from "../json-file.ts";
import { formatRemote, type HubLocation, isCommit } from "../location.ts";
import type { ReadOptions } from "../source.ts";
import { hubSettings } from "./environment.ts";
import type { Authorize } from "./http.ts";
import { fetchWhole } from "./whole.ts";

/** Answers of the API name every file of a repository; those with 10,000 files have about 1 MB. */
const maxAnswerBytes = 32_000_000;

/** The same location with its revision resolved to a commit: what it names can never change. */
export async function pinHub(location: HubLocation, options: ReadOptions = {}): Promise<HubLocation> {
  if (isCommit(location.revision)) return location;
  const { offline } = hubSettings();
  const commit = offline ? await cachedCommit(location) : (await describe(location, options)).commit;
  return { ...location, revision: commit };
}

/** Names of the files at the top of the repository, at a commit. */
export async function listHub(location: HubLocation, options: ReadOptions = {}): Promise<string[]> {
  if (!hubSettings().offline) return (await describe(location, options)).files;
  const names = await readdir(snapshotDirectory(location)).catch(() => undefined);
  if (names === undefined) throw notCached(location);
  return names;
}

/** Path of the file in the local cache, if it is there; links lead nowhere but into the model's own folder. */
export async function cachedFile(location: HubLocation): Promise<string | undefined> {
  const { file } = location;
  if (file === undefined || !isCommit(location.revision)) return undefined;
  const real = await realpath(join(snapshotDirectory(location), file)).catch(() => undefined);
  const folder = await realpath(modelDirectory(location)).catch(() => undefined);
  if (real !== undefined && folder !== undefined && real.startsWith(folder + sep)) return real;
  if (hubSettings().offline) throw notCached(location);
  return undefined;
}

export function hubFileUrl({ id, revision, file }: HubLocation): URL {
  const { endpoint } = hubSettings();
  return new URL(`${endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${encodeURIComponent(file ?? "")}`);
}

/** The token is for the endpoint alone: links that lead to stores elsewhere carry their own. */
export const authorizeHub: Authorize = async (_method, url) => {
  const { endpoint, token } = hubSettings();
  return token !== undefined && url.origin === new URL(endpoint).origin ? { authorization: `Bearer ${token}` } : {};
};

interface Description {
  readonly commit: string;
  readonly files: string[];
}

async function describe(location: HubLocation, options: ReadOptions): Promise<Description> {
  const { endpoint } = hubSettings();
  const name = formatRemote(location);
  const url = new URL(`${endpoint}/api/models/${location.id}/revision/${encodeURIComponent(location.revision)}`);
  const bytes = await fetchWhole({ name, url, authorize: authorizeHub }, maxAnswerBytes, options);
  const answer = parseJsonObject(bytes, `${name}: the answer of ${url.host}`);
  const { sha, siblings } = answer;
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) {
    const hint = "check HF_ENDPOINT";
    throw new CheckpointError({ file: name, rule: `${url.host} did not answer as the Hub does`, hint });
  }
  const files: string[] = [];
  for (const sibling of siblings) {
    const file = isJsonObject(sibling) ? sibling["rfilename"] : undefined;
    // Files in folders belong to no checkpoint.
    if (typeof file === "string" && fileNameRule(file) === undefined) files.push(file);
  }
  return { commit: sha, files };
}

const modelDirectory = ({ id }: HubLocation): string =>
  join(hubSettings().cacheDirectory, `models--${id.replaceAll("/", "--")}`);

const snapshotDirectory = (location: HubLocation): string =>
  join(modelDirectory(location), "snapshots", location.revision);

async function cachedCommit(location: HubLocation): Promise<string> {
  const text = await readFile(join(modelDirectory(location), "refs", location.revision), "utf8").catch(() => "");
  if (isCommit(text.trim())) return text.trim();
  throw notCached(location);
}

function notCached(location: HubLocation): CheckpointError {
  return new CheckpointError({
    file: formatRemote(location),
    rule: "is not in the local cache, and HF_HUB_OFFLINE forbids to ask the Hub",
    hint: `download it with \`hf download ${location.id}\`, or unset HF_HUB_OFFLINE`,
    code: "not_found",
  });
}
