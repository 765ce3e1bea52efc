// S3-compatible storage on loopback: s3rver answers, and before it every request is held to its signature, as Amazon's servers
// do and s3rver does not. The check is written after the specification and knows nothing of the library that signs.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "s3rver";

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

type Signed = Pick<IncomingMessage, "method" | "url" | "headers">;

/**
 * The signature of a request (AWS Signature Version 4,
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 */
export function signatureOf({ method, url, headers }: Signed, secret: string, region: string, names: string): string {
  const { pathname, searchParams } = new URL(url ?? "/", "http://server");
  const escaped = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...searchParams].map(([key, value]) => `${escaped(key)}=${escaped(value)}`).toSorted();
  const path = pathname.split("/").map((part) => escaped(decodeURIComponent(part)));
  const value = (name: string): string => String(headers[name] ?? "").trim();
  const canonical = [
    method,
    path.join("/"),
    query.join("&"),
    ...names.split(";").map((name) => `${name}:${value(name)}`),
    "",
    names,
    value("x-amz-content-sha256"),
  ].join("\n");
  const date = value("x-amz-date");
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = ["AWS4-HMAC-SHA256", date, scope, digest].join("\n");
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac("sha256", key).update(data).digest();
  const key = scope.split("/").reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secret}`);
  return hmac(key, text).toString("hex");
}

export class S3Server implements AsyncDisposable {
  readonly region = "eu-test-1";
  readonly keys: Keys = {
    accessKeyId: "AKIATEST",
    secretAccessKey: "secret/of+the=test",
    sessionToken: "session/token",
  };
  /** Requests that were answered, and those that were refused, as method and path. */
  readonly served: string[] = [];
  readonly refused: string[] = [];
  /** Anybody may read. */
  isPublic = true;
  readonly #directory: string;
  readonly #server: Server;

  private constructor(directory: string, bucket: string) {
    this.#directory = directory;
    const storage = new S3rver({ directory, silent: true, configureBuckets: [{ name: bucket }] });
    const ready = storage.configureBuckets();
    const answer = storage.callback();
    this.#server = createServer((request, response) => {
      const problem = this.isPublic ? undefined : this.#problem(request);
      (problem === undefined ? this.served : this.refused).push(`${request.method} ${request.url}`);
      // s3rver knows one account of its own; who asks has been found out here.
      delete request.headers.authorization;
      if (problem === undefined) void ready.then(() => answer(request, response));
      else response.writeHead(403).end(`<Error><Code>${problem}</Code></Error>`);
    });
  }

  static async start(bucket: string): Promise<S3Server> {
    const server = new S3Server(await mkdtemp(join(tmpdir(), "amalgam-s3-")), bucket);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Variables of a process that may read. */
  get environment(): NodeJS.ProcessEnv {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: this.region,
      AWS_ACCESS_KEY_ID: this.keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.keys.secretAccessKey,
      AWS_SESSION_TOKEN: this.keys.sessionToken,
    };
  }

  /** Puts the files of a directory under a prefix. */
  async upload(directory: string, bucket: string, prefix: string): Promise<void> {
    for (const name of await readdir(directory)) {
      await this.put(bucket, `${prefix}/${name}`, await readFile(join(directory, name)));
    }
  }

  async put(bucket: string, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const wasPublic = this.isPublic;
    this.isPublic = true;
    const { ok, status } = await fetch(`${this.endpoint}/${bucket}/${path}`, { method: "PUT", body: bytes });
    this.isPublic = wasPublic;
    if (!ok) throw new Error(`PUT ${key}: ${status}`);
  }

  #problem(request: IncomingMessage): string | undefined {
    const { accessKeyId, secretAccessKey, sessionToken } = this.keys;
    const authorization =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
    const match = authorization.exec(request.headers.authorization ?? "");
    if (match === null) return "AccessDenied";
    const [, id, , region = "", names = "", signature = ""] = match;
    if (id !== accessKeyId || region !== this.region) return "InvalidAccessKeyId";
    if (request.headers["x-amz-security-token"] !== sessionToken) return "InvalidToken";
    const signed = new Set(names.split(";"));
    if (!["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"].every((name) => signed.has(name))) {
      return "AccessDenied";
    }
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(request.headers["x-amz-date"])) ?? [];
    const signedMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    if (!(Math.abs(Date.now() - signedMs) < 15 * 60_000)) return "RequestTimeTooSkewed";
    const expected = Buffer.from(signatureOf(request, secretAccessKey, region, names));
    return timingSafeEqual(expected, Buffer.from(signature)) ? undefined : "SignatureDoesNotMatch";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#directory, { recursive: true, force: true });
  }
}
