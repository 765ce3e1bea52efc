/**
 * The HTTP side door of a process, for Prometheus and Kubernetes: `/metrics`, `/healthz`, `/readyz`. Plain HTTP without
 * authentication: it tells numbers and states, never data, and takes no input.
 */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { AmalgamError, toAmalgamError } from "./errors.ts";
import { joinAddress } from "./rpc-address.ts";

export interface OpsOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** Default 127.0.0.1. In a pod it must be 0.0.0.0: probes and scrapes come from outside. */
  readonly host?: string;
  readonly registry: Registry;
  /** True or no reasons: ready. Reasons are shown to whoever asks: "NATS is not connected". */
  readonly ready: () => boolean | readonly string[];
}

export interface OpsServer extends AsyncDisposable {
  /** "host:port" with the port really taken. */
  readonly address: string;
  readonly port: number;
}

/** @throws AmalgamError `failed_precondition` when the address cannot be taken. */
export async function serveOps({ port, host = "127.0.0.1", registry, ready }: OpsOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    response.setHeader("cache-control", "no-store");
    if (request.method !== "GET" && request.method !== "HEAD") return send(response, 405, "only GET\n");
    switch (request.url?.split("?")[0]) {
      // Answering at all proves that the event loop turns, and nothing else may make a liveness probe fail.
      case "/healthz":
        return send(response, 200, "ok\n");
      case "/readyz":
        return sendReadiness(response, ready());
      case "/metrics":
        registry.metrics().then(
          (text) => {
            response.setHeader("content-type", registry.contentType);
            send(response, 200, text);
          },
          (thrown) => send(response, 500, `${toAmalgamError(thrown).message}\n`),
        );
        return;
      default:
        return send(response, 404, "/metrics, /healthz, /readyz\n");
    }
  });
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    const problem = toAmalgamError(cause).message;
    throw new AmalgamError("failed_precondition", `cannot serve metrics on ${joinAddress(host, port)}: ${problem}`, {
      cause,
    });
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    address: joinAddress(host, bound),
    port: bound,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sendReadiness(response: ServerResponse, answer: boolean | readonly string[]): void {
  const reasons = typeof answer === "boolean" ? (answer ? [] : ["not ready"]) : answer;
  if (reasons.length === 0) send(response, 200, "ready\n");
  else send(response, 503, `${reasons.join("\n")}\n`);
}

function send(response: ServerResponse, status: number, body: string): void {
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/plain; charset=utf-8");
  response.writeHead(status).end(body);
}
