// A web server over files in memory, as tests want it: ranges, entity tags, and on request the faults of real ones. It listens
// on loopback and counts what it sends.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers a request in its own way and returns true, or leaves it to the server. */
export type Fault = (request: IncomingMessage, response: ServerResponse, file: Uint8Array | undefined) => boolean;

export class RangeServer implements AsyncDisposable {
  /** Contents by path, which begins with a slash. */
  readonly files: Map<string, Uint8Array> = new Map();
  readonly requests: { readonly method: string; readonly path: string; readonly range: string | undefined }[] = [];
  readonly authorizations: string[] = [];
  /** Asked in order; the first that answers is done with, unless it is kept. */
  readonly faults: { readonly fault: Fault; readonly kept: boolean }[] = [];
  /** Bytes of bodies. */
  sentBytes = 0;
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));

  static async start(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<RangeServer> {
    const server = new RangeServer();
    for (const [path, bytes] of Object.entries(files)) server.files.set(path, Buffer.from(bytes));
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next request that `fault` takes is answered by it. */
  once(fault: Fault, times = 1): void {
    for (let i = 0; i < times; i++) this.faults.push({ fault, kept: false });
  }

  always(fault: Fault): void {
    this.faults.push({ fault, kept: true });
  }

  /** Sends a file, or the part of it that is asked for. */
  send(
    request: IncomingMessage,
    response: ServerResponse,
    file: Uint8Array,
    headers: Record<string, string> = {},
  ): void {
    const etag = headers["etag"] ?? entityTag(file);
    const base = { "accept-ranges": "bytes", etag, ...headers };
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const ifRange = request.headers["if-range"];
    if (match === null || (ifRange !== undefined && ifRange !== etag)) {
      this.#body(request, response, 200, { ...base, "content-length": `${file.length}` }, file);
      return;
    }
    const first = Number(match[1]);
    const last = Math.min(Number(match[2]), file.length - 1);
    const isEmpty = first > last;
    const part = file.subarray(first, last + 1);
    const range = isEmpty ? `bytes */${file.length}` : `bytes ${first}-${last}/${file.length}`;
    const headers206 = { ...base, "content-range": range, "content-length": `${part.length}` };
    this.#body(request, response, isEmpty ? 416 : 206, headers206, part);
  }

  #body(
    { method }: IncomingMessage,
    response: ServerResponse,
    status: number,
    headers: Record<string, string>,
    bytes: Uint8Array,
  ): void {
    response.writeHead(status, headers);
    if (method === "HEAD") response.end();
    else {
      this.sentBytes += bytes.length;
      response.end(bytes);
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? "/", "http://server").pathname;
    const { method = "GET", headers } = request;
    this.requests.push({ method, path, range: headers.range });
    if (headers.authorization !== undefined) this.authorizations.push(headers.authorization);
    const file = this.files.get(decodeURIComponent(path));
    const index = this.faults.findIndex(({ fault }) => fault(request, response, file));
    if (index >= 0) {
      if (!this.faults[index]!.kept) this.faults.splice(index, 1);
      return;
    }
    if (file === undefined) response.writeHead(404).end("not here");
    else this.send(request, response, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const entityTag = (bytes: Uint8Array): string => `"${createHash("sha256").update(bytes).digest("hex")}"`;

/** Answers with a status and headers, and no body. */
export const answer =
  (status: number, headers: Record<string, string> = {}): Fault =>
  (_request, response) => {
    response.writeHead(status, headers).end();
    return true;
  };

/** Breaks the connection after so many bytes of a range. */
export const cutAfter =
  (bytes: number): Fault =>
  (request, response, file) => {
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (match === null || file === undefined) return false;
    const [first, last] = [Number(match[1]), Math.min(Number(match[2]), file.length - 1)];
    if (last - first + 1 <= bytes) return false;
    const range = `bytes ${first}-${last}/${file.length}`;
    response.writeHead(206, { "content-range": range, "content-length": last - first + 1, etag: entityTag(file) });
    response.write(file.subarray(first, first + bytes), () => response.destroy());
    return true;
  };
