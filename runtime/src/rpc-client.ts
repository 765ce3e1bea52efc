/**
 * Typed clients over grpc-js. One client is one channel: it connects when first used, reconnects by itself and fails calls
 * with `unavailable` while it cannot. Unary calls are retried on `unavailable` (they may run twice: handlers are
 * idempotent); streams never are, their readers resume by offset or digest.
 */
import type { Readable, Writable } from "node:stream";
import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import {
  Client as Channel,
  type ChannelOptions,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { AmalgamError } from "./errors.ts";
import { parseAddress } from "./rpc-address.ts";
import { drained } from "./rpc-server.ts";
import { pump } from "./rpc-stream.ts";
import {
  type CallOptions,
  fromStatus,
  KEEPALIVE,
  MAX_RECEIVE_BYTES,
  type OwnedClient,
  streamsRequests,
  wire,
} from "./rpc-wire.ts";

/** HTTP/2 receive window. At 10 ms round trip the default of 64 KiB allows 4 MB/s, this one over 200 MB/s. */
const FLOW_CONTROL_WINDOW_BYTES = 16 * 1024 * 1024;

/** A client of `service` at `address` ("host:port"). */
export function createClient<S extends DescService>(service: S, address: string): OwnedClient<S> {
  parseAddress(address);
  const channel = new Channel(address, credentials.createInsecure(), channelOptions(service));
  const calls = service.methods.map((method) => [
    method.localName,
    method.methodKind === "unary" || method.methodKind === "client_streaming"
      ? (request: unknown, options?: CallOptions) => callForOne(channel, method, request, options)
      : (request: unknown, options?: CallOptions) => callForStream(channel, method, request, options),
  ]);
  return Object.assign(Object.fromEntries(calls), {
    [Symbol.asyncDispose]: async () => channel.close(),
  }) as OwnedClient<S>;
}

function channelOptions(service: DescService): ChannelOptions {
  const unary = service.methods.filter(({ methodKind }) => methodKind === "unary");
  const retryPolicy = {
    maxAttempts: 5,
    initialBackoff: "0.1s",
    maxBackoff: "2s",
    backoffMultiplier: 2,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  const name = unary.map((method) => ({ service: service.typeName, method: method.name }));
  return {
    ...KEEPALIVE,
    "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    // A restarted peer is found again within seconds; gRPC's default goes up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
    "grpc.service_config": JSON.stringify({ methodConfig: name.length > 0 ? [{ name, retryPolicy }] : [] }),
    // Each client has its own connection: bulk downloads do not share a window with control messages of other services.
    "grpc.use_local_subchannel_pool": 1,
  };
}

/** What grpc-js returns for a call, whatever its streaming kind. */
interface ClientCall extends Readable {
  cancel(): void;
}

type Callback = (error: ServiceError | null, message?: Message) => void;

/** A call that has started, and the failure of its request stream, if that is what ends it. */
interface Started {
  readonly call: ClientCall;
  failureOf(error: unknown): unknown;
}

function start(
  channel: Channel,
  method: DescMethod,
  request: unknown,
  { signal, timeoutMs }: CallOptions,
  callback?: Callback,
): Started {
  if (signal?.aborted) throw new AmalgamError("cancelled", "cancelled before the call began", { cause: signal.reason });
  const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  const call = open(channel, wire(method), method, request, options, callback);
  // The promise or the iterator reports a failure; unheard here as well, it would end the process.
  call.on("error", () => {});
  const cancel = () => call.cancel();
  const closed = new AbortController();
  signal?.addEventListener("abort", cancel, { once: true });
  call.once("status", () => {
    signal?.removeEventListener("abort", cancel);
    closed.abort();
  });
  let requestFailure: { thrown: unknown } | undefined;
  if (streamsRequests(method))
    sendAll(call as unknown as Writable, method, request as AsyncIterable<unknown>, closed.signal).catch((thrown) => {
      requestFailure = { thrown };
      call.cancel();
    });
  return { call, failureOf: (error) => (requestFailure === undefined ? fromStatus(error) : requestFailure.thrown) };
}

function open(
  channel: Channel,
  { path, requestSerialize: out, responseDeserialize: into }: MethodDefinition<Message, Message>,
  method: DescMethod,
  request: unknown,
  options: { deadline?: number },
  callback: Callback = () => {},
): ClientCall {
  const metadata = new Metadata();
  const message = () => create(method.input, request as Message);
  const call = ((): unknown => {
    switch (method.methodKind) {
      case "unary":
        return channel.makeUnaryRequest(path, out, into, message(), metadata, options, callback);
      case "server_streaming":
        return channel.makeServerStreamRequest(path, out, into, message(), metadata, options);
      case "client_streaming":
        return channel.makeClientStreamRequest(path, out, into, metadata, options, callback);
      case "bidi_streaming":
        return channel.makeBidiStreamRequest(path, out, into, metadata, options);
    }
  })();
  return call as ClientCall;
}

async function sendAll(call: Writable, method: DescMethod, messages: AsyncIterable<unknown>, closed: AbortSignal) {
  const write = async (message: unknown): Promise<boolean> => {
    if (closed.aborted) return false;
    if (!call.write(create(method.input, message as Message))) await drained(call, closed);
    return true;
  };
  if (await pump(messages, write, closed)) call.end();
}

/** A call answered by one message. */
async function callForOne(channel: Channel, method: DescMethod, request: unknown, options: CallOptions = {}) {
  return new Promise<Message>((resolve, reject) => {
    const { failureOf } = start(channel, method, request, options, (error, message) =>
      error === null ? resolve(message as Message) : reject(failureOf(error)),
    );
  });
}

/** A call answered by a stream. */
async function* callForStream(channel: Channel, method: DescMethod, request: unknown, options: CallOptions = {}) {
  const { call, failureOf } = start(channel, method, request, options);
  try {
    yield* call.iterator({ destroyOnReturn: false });
  } catch (error) {
    throw failureOf(error);
  } finally {
    call.cancel();
  }
}
