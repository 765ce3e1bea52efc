/**
 * The client of a service in the same process: the same type and the same behaviour as over gRPC (cancellation, deadlines,
 * error codes, bounded look-ahead in both directions) without sockets and without encoding. Messages pass by reference.
 */
import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { createChannel } from "./channel.ts";
import { AmalgamError } from "./errors.ts";
import { type CallObserver, createCallObserver, type ObserveOptions } from "./rpc-observe.ts";
import { pump, until } from "./rpc-stream.ts";
import {
  bindService,
  type CallContext,
  type CallOptions,
  type Client,
  type Handler,
  handlerOf,
  type ServiceImpl,
  streamsRequests,
  streamsResponses,
  toPeerError,
} from "./rpc-wire.ts";

/** Messages that a sender may be ahead of its reader; over gRPC it is what the HTTP/2 windows hold. */
const LOOK_AHEAD = 4;

/** A client that calls `impl` directly. */
export function createLocalClient<S extends DescService>(
  service: S,
  impl: ServiceImpl<S>,
  options: ObserveOptions = {},
): Client<S> {
  const bound = bindService(service, impl);
  const observer = createCallObserver(options);
  const calls = service.methods.map((method) => {
    const handler = handlerOf(bound, method);
    return [
      method.localName,
      streamsResponses(method)
        ? (request: unknown, callOptions?: CallOptions) =>
            callForStream(method, handler, observer, request, callOptions)
        : (request: unknown, callOptions?: CallOptions) => callForOne(method, handler, observer, request, callOptions),
    ];
  });
  return Object.fromEntries(calls) as Client<S>;
}

/** The two ends of a call under way. */
interface LocalCall {
  readonly context: CallContext;
  /** Aborts, with what the caller gets, when the caller cancels, its time is up or its request stream throws. */
  readonly broken: AbortSignal;
  break(reason: unknown): void;
  /** Aborts what still runs on either side. */
  end(): void;
}

function begin({ signal, timeoutMs }: CallOptions): LocalCall {
  if (signal?.aborted) throw new AmalgamError("cancelled", "cancelled before the call began", { cause: signal.reason });
  const caller = new AbortController();
  const server = new AbortController();
  const gone = () => server.abort(new AmalgamError("cancelled", "the caller is gone"));
  const breakWith = (reason: unknown) => {
    caller.abort(reason);
    gone();
  };
  const onAbort = () => breakWith(new AmalgamError("cancelled", "cancelled by the caller", { cause: signal?.reason }));
  signal?.addEventListener("abort", onAbort, { once: true });
  const onTimeout = () => breakWith(new AmalgamError("deadline_exceeded", `not done within ${timeoutMs} ms`));
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
  return {
    context: { signal: server.signal, peer: "local" },
    broken: caller.signal,
    break: breakWith,
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      gone();
    },
  };
}

/** The request as the handler sees it: a message, or a stream that is read a little ahead. */
function receive(method: DescMethod, request: unknown, call: LocalCall): unknown {
  if (!streamsRequests(method)) return create(method.input, request as Message);
  const queue = createChannel<Message>({ capacity: LOOK_AHEAD });
  const send = (message: unknown) => queue.send(create(method.input, message as Message));
  pump(request as AsyncIterable<unknown>, send, call.context.signal).then(
    () => queue.close(),
    (thrown) => call.break(thrown),
  );
  return until(queue, call.context.signal);
}

async function callForOne(
  method: DescMethod,
  handler: Handler,
  observer: CallObserver,
  request: unknown,
  options: CallOptions = {},
): Promise<Message> {
  const call = begin(options);
  const ended = observer(method, call.context.peer);
  const run = async (): Promise<Message> => {
    try {
      const message = create(method.output, (await handler(receive(method, request, call), call.context)) as Message);
      ended();
      return message;
    } catch (thrown) {
      ended({ thrown });
      throw toPeerError(thrown);
    }
  };
  try {
    return await Promise.race([run(), brokenCall(call)]);
  } finally {
    call.end();
  }
}

/** Rejects as soon as the call breaks, whatever the handler does about it. */
function brokenCall({ broken }: LocalCall): Promise<never> {
  return new Promise((_, reject) => broken.addEventListener("abort", () => reject(broken.reason), { once: true }));
}

async function* callForStream(
  method: DescMethod,
  handler: Handler,
  observer: CallObserver,
  request: unknown,
  options: CallOptions = {},
): AsyncGenerator<Message, void, undefined> {
  const call = begin(options);
  const ended = observer(method, call.context.peer);
  const queue = createChannel<Message>({ capacity: LOOK_AHEAD });
  const run = async (): Promise<void> => {
    const messages = (await handler(receive(method, request, call), call.context)) as AsyncIterable<unknown>;
    const send = (message: unknown) => queue.send(create(method.output, message as Message));
    const complete = await pump(messages, send, call.context.signal);
    ended(complete ? undefined : { thrown: call.context.signal.reason });
  };
  run().then(
    () => queue.close(),
    (thrown) => {
      ended({ thrown });
      queue.close(toPeerError(thrown));
    },
  );
  try {
    yield* until(queue, call.broken);
  } finally {
    call.end();
  }
}
