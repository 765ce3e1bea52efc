/**
 * Serves protobuf-es services over grpc-js. Handlers take a message (or an async iterable of them) and return one;
 * response streams are pulled, so back-pressure from the peer's HTTP/2 window stops the handler. Does not speak TLS yet:
 * without it only loopback addresses are served, unless `insecure` says that something else protects the network.
 */
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, type UntypedHandleCall } from "@grpc/grpc-js";
import { AmalgamError, toAmalgamError } from "./errors.ts";
import { isLoopback, joinAddress, parseAddress } from "./rpc-address.ts";
import { type CallObserver, createCallObserver, type ObserveOptions } from "./rpc-observe.ts";
import { pump, until } from "./rpc-stream.ts";
import {
  type BoundService,
  type CallContext,
  handlerOf,
  KEEPALIVE,
  MAX_RECEIVE_BYTES,
  type StatusError,
  toStatus,
  wire,
} from "./rpc-wire.ts";

// What grpc-js would print on stderr it also reports as errors. GRPC_VERBOSITY and GRPC_TRACE still work for debugging.
if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);

export interface ServeOptions extends ObserveOptions {
  /** "host:port"; port 0 takes a free one. */
  readonly address: string;
  readonly services: readonly BoundService[];
  /** How long calls under way may go on after disposal began, before they are cut off. Default 5 000. */
  readonly graceMs?: number;
  /** Allows an address that is not loopback although nothing is encrypted or authenticated. Default false. */
  readonly insecure?: boolean;
}

/** Disposing refuses new calls, waits `graceMs` for those under way, then cuts them off. Idempotent. */
export interface RpcServer extends AsyncDisposable {
  /** "host:port" with the port really taken. */
  readonly address: string;
  readonly port: number;
}

/**
 * Listens, then resolves.
 * @throws AmalgamError `failed_precondition` when the address is taken or needs TLS, `invalid_argument` when malformed.
 */
export async function serve(options: ServeOptions): Promise<RpcServer> {
  const { address, services, graceMs = 5_000, insecure = false } = options;
  const { host, port: wantedPort } = parseAddress(address);
  if (!insecure && !isLoopback(host))
    throw new AmalgamError(
      "failed_precondition",
      `refusing to serve gRPC on ${address} without TLS: bind to 127.0.0.1, or allow it explicitly (insecure) on a network you trust`,
    );
  const server = new Server({ ...KEEPALIVE, "grpc.max_receive_message_length": MAX_RECEIVE_BYTES });
  const observer = createCallObserver(options);
  for (const bound of services) addService(server, bound, observer);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(joinAddress(host, wantedPort), ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(bindError(address, error)),
    ),
  );
  let drained: Promise<void> | undefined;
  return {
    address: joinAddress(host, port),
    port,
    [Symbol.asyncDispose]() {
      drained ??= drain(server, graceMs);
      return drained;
    },
  };
}

function bindError(address: string, cause: Error): AmalgamError {
  return new AmalgamError("failed_precondition", `cannot listen on ${address}: ${cause.message}`, { cause });
}

async function drain(server: Server, graceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const finished = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  const graceOver = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([finished, graceOver]);
  clearTimeout(timer);
  server.forceShutdown();
}

/** What grpc-js hands to a handler, whatever its streaming kind: a readable and/or a writable side, or a request. */
interface ServerCall extends Readable {
  readonly cancelled: boolean;
  readonly request: unknown;
  getPeer(): string;
}
type Respond = (error: StatusError | null, message?: Message) => void;

/** Registers a service on a grpc-js server. */
export function addService(server: Server, bound: BoundService, observer: CallObserver): void {
  const { methods } = bound.service;
  server.addService(
    Object.fromEntries(methods.map((method) => [method.localName, wire(method)])),
    Object.fromEntries(methods.map((method) => [method.localName, handleCall(bound, method, observer)])),
  );
}

function handleCall(bound: BoundService, method: DescMethod, observer: CallObserver): UntypedHandleCall {
  const handler = handlerOf(bound, method);
  const { requestStream, responseStream } = wire(method);
  const handle = async (call: ServerCall, respond?: Respond): Promise<void> => {
    const ended = observer(method, call.getPeer());
    const { context, end } = contextOf(call);
    try {
      const request = requestStream ? until(readAll(call), context.signal) : call.request;
      const result = await handler(request, context);
      if (responseStream) await writeAll(call as unknown as Writable, method, result, context.signal);
      else respond?.(null, create(method.output, result as Message));
      ended(context.signal.aborted ? { thrown: context.signal.reason } : undefined);
    } catch (thrown) {
      ended({ thrown });
      // A destroyed call sends no status, so failures are emitted, never the end of a stream.pipeline().
      if (respond !== undefined) respond(toStatus(thrown));
      else if (!context.signal.aborted) call.emit("error", toStatus(thrown));
    } finally {
      // A caller may go on sending to a call that is over.
      end();
    }
  };
  return handle as unknown as UntypedHandleCall;
}

/** grpc-js says "cancelled" for the caller's cancel, its deadline and a lost connection alike. */
function contextOf(call: ServerCall): { readonly context: CallContext; readonly end: () => void } {
  const aborter = new AbortController();
  const end = () => aborter.abort(new AmalgamError("cancelled", "the caller is gone"));
  if (call.cancelled) end();
  else call.once("cancelled", end);
  return { context: { signal: aborter.signal, peer: call.getPeer() }, end };
}

/** Keeps the call open after its last request: plain `for await` would destroy a call that still has answers to write. */
function readAll(call: Readable): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) };
}

async function writeAll(call: Writable, method: DescMethod, messages: unknown, stop: AbortSignal): Promise<void> {
  const write = async (message: unknown): Promise<boolean> => {
    if (!call.write(create(method.output, message as Message))) await drained(call, stop);
    return true;
  };
  await pump(messages as AsyncIterable<unknown>, write, stop);
  if (!stop.aborted) call.end();
}

/** Waits for room in a stream, or for `stop`. */
export async function drained(stream: Writable, stop: AbortSignal): Promise<void> {
  try {
    await once(stream, "drain", { signal: stop });
  } catch (thrown) {
    if (!stop.aborted) throw toAmalgamError(thrown);
  }
}
