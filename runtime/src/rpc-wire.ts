/**
 * What the RPC server, client and in-process client share: types of services and clients derived from protobuf-es
 * descriptors, the wiring of one method for grpc-js, and the mapping between errors and gRPC statuses. protobuf-es
 * describes a service, grpc-js moves bytes; no code is generated for services.
 */
import {
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import { AmalgamError, ERROR_CODES, type ErrorCode, isErrorCode, toAmalgamError } from "./errors.ts";

/**
 * Size of the pieces that bulk bytes are cut into. Measured on loopback: 1 MiB is the fastest of 64 KiB to 4 MiB, and it
 * stays far below {@link MAX_RECEIVE_BYTES}. The receiver of bulk bytes must be the gRPC client: only clients can widen
 * their HTTP/2 receive window (grpc-js 1.14).
 */
export const CHUNK_BYTES: number = 1024 * 1024;
/** Largest message either side accepts; a larger one ends the call with `resource_exhausted`. */
export const MAX_RECEIVE_BYTES: number = 4 * 1024 * 1024;
/** Both sides ping an idle connection of a call under way, so that a partition shows within about 25 s. */
export const KEEPALIVE = { "grpc.keepalive_time_ms": 20_000, "grpc.keepalive_timeout_ms": 5_000 } as const;

export interface CallContext {
  /**
   * Aborts when the caller cancels, its deadline passes, its connection drops or the server stops, and also once the call
   * has ended well. Its reason is an {@link AmalgamError} with code `cancelled`.
   */
  readonly signal: AbortSignal;
  /** The caller's address as the transport sees it: "127.0.0.1:40112", or "local". For logs. */
  readonly peer: string;
}

export interface CallOptions {
  /** Cancels the call: it fails with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** The whole call, streams included, fails with `deadline_exceeded` after this time. Default: none. */
  readonly timeoutMs?: number | undefined;
}

// One row per streaming kind, written once: [request, response]. A side reads whole messages and may write initialisers.
type Read<D extends DescMessage> = MessageShape<D>;
type Write<D extends DescMessage> = MessageInitShape<D>;
type ServerShape<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? [Read<I>, Promise<Write<O>>]
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? [Read<I>, AsyncIterable<Write<O>>]
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? [AsyncIterable<Read<I>>, Promise<Write<O>>]
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? [AsyncIterable<Read<I>>, AsyncIterable<Write<O>>]
          : never;
type ClientShape<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? [Write<I>, Promise<Read<O>>]
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? [Write<I>, AsyncIterable<Read<O>>]
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? [AsyncIterable<Write<I>>, Promise<Read<O>>]
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? [AsyncIterable<Write<I>>, AsyncIterable<Read<O>>]
          : never;

/**
 * The handlers of a service. A handler that throws an AmalgamError sends its code and message; anything else thrown
 * reaches the peer as `internal` without its text. Messages may be shared with the other side when it is in the same
 * process: treat them as frozen.
 *
 * The end of a request stream is no proof that it was complete: Node's HTTP/2 client ends a stream before it resets it, so
 * a cancelled upload can look finished until `signal` aborts a moment later. Let a last message or a length say so.
 */
export type ServiceImpl<S extends DescService> = {
  [K in keyof S["method"]]: (
    request: ServerShape<S["method"][K]>[0],
    context: CallContext,
  ) => ServerShape<S["method"][K]>[1];
};

/**
 * The calls of a service. Calls fail with an AmalgamError. A response stream starts when it is first iterated; leaving its
 * loop cancels the call. When the call ends, an unfinished request stream is ended by `return()`; if it throws, the call is
 * cancelled and fails with what it threw. `bytes` fields are views, unaligned, into the received message.
 */
export type Client<S extends DescService> = {
  [K in keyof S["method"]]: (
    request: ClientShape<S["method"][K]>[0],
    options?: CallOptions,
  ) => ClientShape<S["method"][K]>[1];
};

/** A client that owns what it needs. Disposing lets calls under way finish; calls made afterwards fail. */
export type OwnedClient<S extends DescService> = Client<S> & AsyncDisposable;

/** A service and its handlers, for `serve`. Made by {@link bindService}, which checks that they fit. */
export interface BoundService {
  readonly service: DescService;
  readonly impl: Readonly<Record<string, Handler>>;
}

/** A handler of any streaming kind, its types forgotten. */
export type Handler = (request: unknown, context: CallContext) => unknown;

export function bindService<S extends DescService>(service: S, impl: ServiceImpl<S>): BoundService {
  return { service, impl: impl as unknown as BoundService["impl"] };
}

/** The handler of `method`, or one that refuses when the implementation (plain JavaScript, say) lacks it. */
export function handlerOf({ impl }: BoundService, method: DescMethod): Handler {
  const handler = impl[method.localName];
  if (handler !== undefined) return handler.bind(impl);
  return () => {
    throw new AmalgamError("unimplemented", `${method.parent.typeName} has no ${method.name} here`);
  };
}

export function streamsRequests(method: DescMethod): boolean {
  return method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
}

export function streamsResponses(method: DescMethod): boolean {
  return method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
}

/** The grpc-js definition of one method: its path, its streaming kind, and how its messages become bytes. */
export function wire(method: DescMethod): MethodDefinition<Message, Message> {
  // toBinary() owns its buffer, so the Buffer is a view of it and no bytes are copied.
  const encode = (schema: DescMessage) => (message: Message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const decode = (schema: DescMessage) => (bytes: Buffer) => fromBinary(schema, bytes);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: streamsRequests(method),
    responseStream: streamsResponses(method),
    requestSerialize: encode(method.input),
    requestDeserialize: decode(method.input),
    responseSerialize: encode(method.output),
    responseDeserialize: decode(method.output),
  };
}

/** A gRPC status as grpc-js takes it from a handler. */
export interface StatusError extends Error {
  readonly code: status;
  readonly details: string;
}

/**
 * What a peer may know of a failure: code and message of an error that was thrown on purpose; of a bug only that it is
 * internal, because its text may hold paths or secrets.
 */
export function toPeerError(thrown: unknown): AmalgamError {
  const error = toAmalgamError(thrown);
  const onPurpose = thrown instanceof Error && "code" in thrown && isErrorCode(thrown.code);
  const stopped = error.code === "cancelled" || error.code === "deadline_exceeded";
  if (error.code !== "internal" && (onPurpose || stopped)) return error;
  return new AmalgamError("internal", "internal error", { cause: thrown });
}

export function toStatus(thrown: unknown): StatusError {
  const { code, message } = toPeerError(thrown);
  return Object.assign(new Error(message), { code: STATUS_OF.get(code) ?? status.INTERNAL, details: message });
}

/** The error of a failed call, from grpc-js's ServiceError. */
export function fromStatus(thrown: unknown): AmalgamError {
  if (!(thrown instanceof Error && "code" in thrown && typeof thrown.code === "number")) return toAmalgamError(thrown);
  const details = "details" in thrown && typeof thrown.details === "string" ? thrown.details : thrown.message;
  return new AmalgamError(CODE_OF.get(thrown.code) ?? "unknown", plainDetails(details), { cause: thrown });
}

/** What grpc-js says of an address where nobody answers, without its inner workings. */
function plainDetails(details: string): string {
  return /^No connection established\. Last error: (?:Error: )?(.*?)\. Resolution note: /.exec(details)?.[1] ?? details;
}

const STATUS_OF: ReadonlyMap<ErrorCode, status> = new Map(
  ERROR_CODES.map((code) => [code, status[code.toUpperCase() as keyof typeof status]]),
);
const CODE_OF: ReadonlyMap<number, ErrorCode> = new Map(Array.from(STATUS_OF, ([code, number]) => [number, code]));
