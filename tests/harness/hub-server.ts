// A Hugging Face Hub on loopback, as faithful as range reads need it: the model API with revisions, resolve routes with their
// headers, large files behind a redirect to a store of another origin with signed links that expire, private and gated models,
// and the error codes of the real one (https://huggingface.co/docs/hub/api; headers as huggingface_hub reads them).
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface HubModel {
  readonly visibility: "public" | "private" | "gated";
  /** Commit by branch or tag. */
  readonly refs: Map<string, string>;
  /** Files by name, by commit. */
  readonly commits: Map<string, ReadonlyMap<string, Uint8Array>>;
}

/** Answers a request itself and returns true, or leaves it to the server. `where` is the server that was asked. */
export type Fault = (request: IncomingMessage, response: ServerResponse, where: "hub" | "store") => boolean;

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: Uint8Array;
}

const LARGE_BYTES = 4096;

export class HubServer implements AsyncDisposable {
  readonly models: Map<string, HubModel> = new Map();
  readonly requests: { readonly where: string; readonly method: string; readonly path: string }[] = [];
  /** Credentials that came to the store, where none may come. */
  readonly leaked: string[] = [];
  /** Asked first, until one answers; it is done with then. */
  readonly faults: Fault[] = [];
  /** Bytes of bodies, large files only. */
  sentBytes = 0;
  /** Links of the store that were signed before are not good any more. */
  linkEpoch = 1;
  readonly token = "hf_testtokenthatmaynotleak";
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #hub: Server = createServer((request, response) => this.#answer("hub", request, response));
  readonly #store: Server = createServer((request, response) => this.#answer("store", request, response));

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#store]) {
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    }
    return server;
  }

  get endpoint(): string {
    return urlOf(this.#hub);
  }

  /** Variables of a process that uses this Hub and no cache. */
  environment(home: string): NodeJS.ProcessEnv {
    return { HF_ENDPOINT: this.endpoint, HF_HOME: home, HF_TOKEN: "", HF_HUB_OFFLINE: "" };
  }

  /** A model with one commit on `main`; `files` is a directory or contents by name. Returns the commit. */
  add(
    id: string,
    files: string | Readonly<Record<string, Uint8Array>>,
    visibility: HubModel["visibility"] = "public",
  ): string {
    this.models.set(id, { visibility, refs: new Map(), commits: new Map() });
    return this.commit(id, files);
  }

  /** Another commit, which `branch` names from now on. */
  commit(id: string, files: string | Readonly<Record<string, Uint8Array>>, branch = "main"): string {
    const contents = new Map(
      typeof files === "string"
        ? readdirSync(files).map((name) => [name, readFileSync(join(files, name))] as const)
        : Object.entries(files),
    );
    const model = this.models.get(id)!;
    const commit = sha("sha1", Buffer.from(`${id} ${model.commits.size}`));
    model.commits.set(commit, contents);
    model.refs.set(branch, commit);
    for (const bytes of contents.values()) this.#blobs.set(sha("sha256", bytes), bytes);
    return commit;
  }

  #answer(where: "hub" | "store", request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://server");
    this.requests.push({ where, method: request.method ?? "GET", path: url.pathname });
    const fault = this.faults.findIndex((each) => each(request, response, where));
    if (fault >= 0) {
      this.faults.splice(fault, 1);
      return;
    }
    const {
      status,
      headers = {},
      bytes = new Uint8Array(),
    } = where === "store" ? this.#blob(url, request) : this.#hubReply(url, request);
    const match = status === 200 ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
    const first = Number(match?.[1] ?? 0);
    const part = match === null ? bytes : bytes.subarray(first, Number(match[2]) + 1);
    const range = { "content-range": `bytes ${first}-${first + part.length - 1}/${bytes.length}` };
    const length = { "content-length": `${part.length}` };
    response.writeHead(match === null ? status : 206, { ...headers, ...length, ...(match === null ? {} : range) });
    if (bytes.length > LARGE_BYTES) this.sentBytes += part.length;
    response.end(request.method === "HEAD" ? undefined : part);
  }

  #hubReply(url: URL, { headers: { authorization } }: IncomingMessage): Reply {
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(url.pathname);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [, id = "", revision = "", file = ""] = (api ?? resolve ?? []).map((part) => decodeURIComponent(part ?? ""));
    const isMember = authorization === `Bearer ${this.token}`;
    if (authorization !== undefined && !isMember) return { status: 401 };
    const model = this.models.get(id);
    if (model === undefined || (model.visibility === "private" && !isMember)) {
      return refusal(isMember ? 404 : 401, "RepoNotFound");
    }
    const commit = model.commits.has(revision) ? revision : model.refs.get(revision);
    const files = commit === undefined ? undefined : model.commits.get(commit);
    if (commit === undefined || files === undefined) return refusal(404, "RevisionNotFound");
    if (api !== null) {
      const siblings = [...files.keys(), "onnx/model.onnx", ".gitattributes"].map((rfilename) => ({ rfilename }));
      const text = JSON.stringify({ id, sha: commit, private: model.visibility === "private", siblings });
      return { status: 200, headers: { "content-type": "application/json" }, bytes: Buffer.from(text) };
    }
    if (model.visibility === "gated" && !isMember) return refusal(authorization === undefined ? 401 : 403, "GatedRepo");
    const bytes = files.get(file);
    if (bytes === undefined) return refusal(404, "EntryNotFound");
    const headers = { "x-repo-commit": commit };
    if (bytes.length <= LARGE_BYTES)
      return { status: 200, headers: { ...headers, etag: `"${sha("sha1", bytes)}"` }, bytes };
    const digest = sha("sha256", bytes);
    return {
      status: 302,
      headers: {
        ...headers,
        location: `${urlOf(this.#store)}/${digest}?Expires=1&Signature=secret${this.linkEpoch}`,
        "x-linked-etag": `"${digest}"`,
        "x-linked-size": `${bytes.length}`,
      },
    };
  }

  #blob(url: URL, { headers: { authorization } }: IncomingMessage): Reply {
    // As S3 does: one way of saying who asks, and no more.
    if (authorization !== undefined) {
      this.leaked.push(authorization);
      return { status: 400 };
    }
    const bytes = this.#blobs.get(url.pathname.slice(1));
    if (bytes === undefined || url.searchParams.get("Signature") !== `secret${this.linkEpoch}`) return { status: 403 };
    return { status: 200, headers: { etag: `"${sha("sha1", bytes)}"` }, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const sha = (algorithm: "sha1" | "sha256", bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex");

const refusal = (status: number, code: string): Reply => ({ status, headers: { "x-error-code": code } });
