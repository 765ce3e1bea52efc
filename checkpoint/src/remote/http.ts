// One HTTP exchange, and its repetition: keep-alive, time limits, redirects that lose their credentials at another origin, and
// retries with backoff. What is asked for and what the bytes mean is the caller's business; only GET and HEAD are sent, which
// may be repeated without harm (RFC 9110, 9.2.2).
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { CheckpointError } from "../errors.ts";
import type { ReadOptions } from "../source.ts";
import { timeoutMs } from "./environment.ts";

export interface Ask {
  /** How errors name what is read. */
  readonly name: string;
  readonly method: "GET" | "HEAD";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers with credentials for one URL, made anew for each request; called for redirects too. */
  readonly authorize?: Authorize | undefined;
}

export type Authorize = (method: string, url: URL) => Promise<Readonly<Record<string, string>>>;

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
  /** Headers of the first answer, where redirects were followed. */
  readonly first: IncomingHttpHeaders;
  /** Where the answer came from. */
  readonly url: URL;
}

/** A failure that the next attempt may not meet. */
export class Transient extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

const agentOptions = { keepAlive: true, maxSockets: 16, maxFreeSockets: 16, proxyEnv: process.env };
const agents = { "http:": new HttpAgent(agentOptions), "https:": new HttpsAgent(agentOptions) };

const maxRedirects = 5;
const redirects = new Set([301, 302, 303, 307, 308]);
/** Request Timeout, Too Early, Too Many Requests, and the server's own failures. */
const transient = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Sends one request and follows redirects. @throws Transient when asking again may help */
export async function exchange(ask: Ask, options: ReadOptions = {}): Promise<Reply> {
  let { url } = ask;
  let first: IncomingHttpHeaders | undefined;
  for (let hop = 0; ; hop++) {
    const authorization = await ask.authorize?.(ask.method, url);
    const headers = { "accept-encoding": "identity", "user-agent": "amalgam", ...ask.headers, ...authorization };
    const body = await send(ask.method, url, headers, options);
    const status = body.statusCode ?? 0;
    first ??= body.headers;
    const { location } = body.headers;
    if (redirects.has(status) && location !== undefined) {
      discard(body);
      url = nextUrl(ask.name, url, location);
      if (hop === maxRedirects) throw failed(ask.name, `was redirected more than ${maxRedirects} times`);
      continue;
    }
    // A signed link that was given a moment ago and is refused has expired: the next one is as good as new.
    const isExpired = url.origin !== ask.url.origin && (status === 401 || status === 403);
    if (transient.has(status) || isExpired) {
      discard(body);
      throw new Transient(`${url.host} answered ${status}`, retryAfterMs(body.headers["retry-after"]));
    }
    return { status, headers: body.headers, body, first, url };
  }
}

/** Attempts after which a server that was never reached, and one that was, are given up. */
export const attempts = { open: 4, read: 8 };
const backoff = { baseMs: 200, maxMs: 10_000 };
/** A server that asks for more patience than this is told about instead. */
const maxRetryAfterMs = 60_000;

/**
 * Repeats `attempt` while it throws {@link Transient}, with full jitter, and as long as the server asks for.
 * `attempt` returns true when it got somewhere: the count then begins anew at the next failure.
 */
export async function withRetries<T>(
  name: string,
  most: number,
  attempt: (progress: () => void) => Promise<T>,
  { signal }: ReadOptions,
): Promise<T> {
  let failures = 0;
  const progress = (): void => {
    failures = 0;
  };
  for (;;) {
    try {
      return await attempt(progress);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Transient)) throw error;
      const { message, retryAfterMs = 0 } = error;
      failures++;
      if (failures >= most || retryAfterMs > maxRetryAfterMs) {
        const tries = failures === 1 ? "" : ` (tried ${failures} times)`;
        const patience = retryAfterMs > 0 ? `, and asks to wait ${Math.ceil(retryAfterMs / 1000)} s` : "";
        throw new CheckpointError({
          file: name,
          rule: `cannot be read: ${message}${patience}${tries}`,
          hint: "check the network and the server, and run the same command again: it resumes",
          code: "unavailable",
        });
      }
      const jitterMs = Math.random() * Math.min(backoff.maxMs, backoff.baseMs * 2 ** (failures - 1));
      await sleep(Math.max(retryAfterMs, jitterMs), undefined, signal === undefined ? {} : { signal });
    }
  }
}

/**
 * Hands over the body as it comes and resolves at its end.
 * @throws Transient when the connection broke, fell silent, or ended before `content-length`
 */
export function readBody(
  { body, url }: Pick<Reply, "body" | "url">,
  onData: (chunk: Uint8Array) => void,
  { signal }: ReadOptions = {},
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => void body.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  body.on("data", (chunk: Uint8Array) => {
    try {
      onData(chunk);
    } catch (error) {
      reject(error);
      body.destroy();
    }
  });
  body.once("error", (error: Error) => reject(new Transient(`${url.host}: ${error.message}`)));
  body.once("close", () => {
    if (body.complete) resolve();
    else reject(signal?.aborted ? signal.reason : new Transient(`${url.host} broke off its answer`));
  });
  return promise.finally(() => signal?.removeEventListener("abort", abort));
}

/** Lets go of a body that nobody wants: a short one is read, so that its connection can be used again. */
export function discard(body: IncomingMessage): void {
  body.on("error", () => undefined);
  if (Number(body.headers["content-length"] ?? Number.POSITIVE_INFINITY) <= 65_536) body.resume();
  else body.destroy();
}

function send(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
  { signal }: ReadOptions,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  signal?.throwIfAborted();
  const timeout = timeoutMs();
  const isTls = url.protocol === "https:";
  const settings = { method, headers, agent: isTls ? agents["https:"] : agents["http:"], timeout };
  const request = isTls ? httpsRequest(url, settings) : httpRequest(url, settings);
  const abort = (): void => void request.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  request.once("timeout", () => request.destroy(new Error(`nothing came for ${timeout} ms`)));
  request.once("response", (response) => {
    // Who reads the body listens for its errors; until then one must not end the process.
    response.on("error", () => undefined);
    resolve(response);
  });
  request.on("error", (error: NodeJS.ErrnoException) => {
    reject(signal?.aborted ? signal.reason : new Transient(`${url.host}: ${error.message || error.code}`));
  });
  request.end();
  return promise.finally(() => signal?.removeEventListener("abort", abort));
}

function nextUrl(name: string, from: URL, location: string): URL {
  const to = URL.parse(location, from.href);
  if (to === null || !/^https?:$/.test(to.protocol))
    throw failed(name, "was redirected to something that is no web address");
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw failed(name, `was redirected from https to plain http (${to.host})`);
  }
  return to;
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : undefined;
}

function failed(file: string, rule: string): CheckpointError {
  return new CheckpointError({ file, rule, hint: "check the address" });
}
