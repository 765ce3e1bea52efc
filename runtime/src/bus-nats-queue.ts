/** One work queue in JetStream: publishing until it is stored, pulling one at a time, purging by subject. */
import {
  type Consumer,
  type ConsumerMessages,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  type BusOptions,
  checkMessageSize,
  DEFAULT_ACK_WAIT_MS,
  type Delivery,
  parseMessagePath,
  type QueueName,
  type WorkQueue,
} from "./bus.ts";
import { createScreen } from "./bus-screen.ts";
import { systemClock } from "./clock.ts";
import { AmalgamError, toAmalgamError } from "./errors.ts";

/** A leader election in a three-node cluster was seen to take 6.6 s; publishing outlasts it. */
const PUBLISH_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** A pull request waits this long on the server before it is made again. */
const PULL_EXPIRES_MS = 10_000;
const PAUSE_MS = 250;
/** "maximum bytes exceeded", "insufficient resources", "insufficient storage resources". */
const FULL_CODES: ReadonlySet<number> = new Set([10077, 10023, 10047]);

/** The connection and what the queues need to know of it. */
export interface NatsLink {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Aborts when the bus is disposed. */
  readonly closing: AbortSignal;
  /** Calls `listener` after each reconnection; returns how to stop that. */
  onReconnect(listener: () => void): () => void;
}

/** What one queue is called on the server. */
export interface NatsNames {
  readonly stream: string;
  /** Subjects are `<subjects>.<segments of the id>`. */
  readonly subjects: string;
  readonly durable: string;
}

export interface NatsQueueOptions {
  readonly name: QueueName;
  readonly names: NatsNames;
  readonly link: NatsLink;
  /** Creates stream and consumer if they are gone. */
  readonly ensure: () => Promise<void>;
  readonly options: BusOptions;
}

export function createNatsQueue(context: NatsQueueOptions): WorkQueue {
  const { name, names, link, options } = context;
  return {
    name,
    ackWaitMs: options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS[name],
    publish: (id, data) => publish(context, id, data),
    pull: ({ signal }) => pull(context, AbortSignal.any([signal, link.closing])),
    purge: (path) => ask(`drop the messages of ${path}`, () => purge(context, path)),
    depth: () => ask(`count queue ${name}`, async () => (await link.manager.streams.info(names.stream)).state.messages),
  };
}

async function publish({ name, names, link, ensure }: NatsQueueOptions, id: string, data: Uint8Array): Promise<void> {
  const subject = subjectOf(names, id);
  checkMessageSize(id, data);
  const startedAt = systemClock.nowMs();
  for (;;) {
    if (link.closing.aborted) throw new AmalgamError("unavailable", "the bus is closed");
    try {
      const stored = link.js.publish(subject, data, { msgID: subject, timeout: REQUEST_TIMEOUT_MS });
      if ((await answerBeforeReconnect(link, stored)) !== undefined) return;
    } catch (cause) {
      if (cause instanceof JetStreamApiError && FULL_CODES.has(cause.code))
        throw new AmalgamError("resource_exhausted", `queue ${name} is full: ${cause.message}`, { cause });
      if (systemClock.nowMs() - startedAt > PUBLISH_TIMEOUT_MS)
        throw new AmalgamError("unavailable", `NATS did not store message ${id} within ${PUBLISH_TIMEOUT_MS} ms`, {
          cause,
        });
      await systemClock.sleep(PAUSE_MS);
      // The stream may be gone with a server that lost its disk.
      await answerBeforeReconnect(link, ensure()).catch(() => {});
    }
  }
}

/**
 * What the request is answered with, or undefined as soon as the connection is made anew, because then its answer is lost
 * and waiting for the timeout would only take time.
 */
function answerBeforeReconnect<T>(link: NatsLink, request: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const forget = link.onReconnect(() => resolve(undefined));
    request.then(resolve, reject).finally(forget);
  });
}

/**
 * Deletes message by message (there is one per subject). Purging by subject would be one request, but after it a consumer
 * of nats-server 2.9.10 never delivers the messages that remain.
 */
async function purge({ names, link }: NatsQueueOptions, path: string): Promise<void> {
  const { streams } = link.manager;
  const remove = async (last_by_subj: string) => {
    try {
      const message = await streams.getMessage(names.stream, { last_by_subj });
      if (message !== null) await streams.deleteMessage(names.stream, message.seq, false);
    } catch (thrown) {
      // Settled in this moment, most likely; if not, the next look finds it again.
      if (!(thrown instanceof JetStreamApiError)) throw thrown;
    }
  };
  const subject = subjectOf(names, path);
  // A filter ending in ">" does not match the path itself.
  for (const subjects_filter of [`${subject}.>`, subject]) {
    for (let look = 0; ; look++) {
      const { state } = await streams.info(names.stream, { subjects_filter });
      const subjects = Object.keys(state.subjects ?? {});
      if (subjects.length === 0) break;
      if (look === 5) throw new Error(`${subjects.length} messages cannot be deleted`);
      for (const one of subjects) await remove(one);
    }
  }
}

/** Runs a request to the server; `unavailable` says that it went unanswered or was refused. */
async function ask<T>(what: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (cause) {
    if (cause instanceof AmalgamError) throw cause;
    throw new AmalgamError("unavailable", `NATS could not ${what}: ${toAmalgamError(cause).message}`, { cause });
  }
}

async function* pull(context: NatsQueueOptions, stop: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
  const { name, names, link, ensure, options } = context;
  const log = options.log?.child({ queue: name });
  const screen = createScreen(name, options);
  let consumer: Consumer | undefined;
  let inTrouble = false;
  while (!stop.aborted) {
    let message: JsMsg | undefined;
    try {
      consumer ??= await answerBeforeReconnect(link, link.js.consumers.get(names.stream, names.durable));
      if (consumer === undefined) continue;
      message = await fetchOne(link, consumer, stop);
      inTrouble = false;
    } catch (err) {
      if (stop.aborted) return;
      if (!inTrouble) log?.warn({ err }, "cannot pull from NATS; trying again until it works");
      inTrouble = true;
      consumer = undefined;
      await systemClock.sleep(PAUSE_MS);
      await answerBeforeReconnect(link, ensure()).catch(() => {});
    }
    if (message === undefined) continue;
    if (stop.aborted) {
      message.nak();
      return;
    }
    const delivery = await screen(deliveryOf(names, message));
    if (delivery !== undefined) yield delivery;
  }
}

/** The next message, or undefined when none came in time, the connection was made anew or `stop` aborted. */
async function fetchOne(link: NatsLink, consumer: Consumer, stop: AbortSignal): Promise<JsMsg | undefined> {
  let messages: ConsumerMessages | undefined;
  let ended = stop.aborted;
  const end = () => {
    ended = true;
    messages?.stop();
  };
  stop.addEventListener("abort", end, { once: true });
  // A server that comes back knows nothing of the requests that were waiting on it.
  const forget = link.onReconnect(end);
  try {
    messages = await consumer.fetch({ max_messages: 1, expires: PULL_EXPIRES_MS });
    if (ended) messages.stop();
    for await (const message of messages) return message;
    return undefined;
  } finally {
    stop.removeEventListener("abort", end);
    forget();
  }
}

function deliveryOf(names: NatsNames, message: JsMsg): Delivery {
  const id = idOf(names, message.subject);
  return {
    id,
    data: message.data,
    deliveries: message.info.deliveryCount,
    working: () => message.working(),
    async ack() {
      try {
        await message.ackAck({ timeout: REQUEST_TIMEOUT_MS });
      } catch (cause) {
        throw new AmalgamError("unavailable", `NATS did not confirm the acknowledgement of ${id}: it may come again`, {
          cause,
        });
      }
    },
    retry: (delayMs) => message.nak(delayMs),
    // Servers before 2.10.4 ignore a termination that carries a reason.
    discard: () => message.term(),
  };
}

/** NATS subjects are tokens joined by "."; what a token cannot hold is written as "=" and two hex digits per UTF-8 byte. */
function subjectOf({ subjects }: NatsNames, path: string): string {
  const encode = (segment: string) =>
    Array.from(new TextEncoder().encode(segment), (byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(character) ? character : `=${byte.toString(16).padStart(2, "0")}`;
    }).join("");
  return [subjects, ...parseMessagePath(path).map(encode)].join(".");
}

function idOf({ subjects }: NatsNames, subject: string): string {
  const decode = (token: string) => decodeURIComponent(token.replaceAll("=", "%"));
  return subject
    .slice(subjects.length + 1)
    .split(".")
    .map(decode)
    .join("/");
}
