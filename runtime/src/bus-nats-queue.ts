/** One work queue in JetStream: publishing until it is stored, pulling one at a time, purging by subject. */
import { JetStreamApiError, type JetStreamClient, type JetStreamManager, type JsMsg } from "@nats-io/jetstream";
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
import { AmalgamError } from "./errors.ts";

/** A leader election in a three-node cluster was seen to take 6.6 s; publishing outlasts it. */
const PUBLISH_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
const ACK_TIMEOUT_MS = 15_000;
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
    ackWaitMs: options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS,
    publish: (id, data) => publish(context, id, data),
    pull: ({ signal }) => pull(context, AbortSignal.any([signal, link.closing])),
    async purge(path) {
      const subject = subjectOf(names, path);
      // A filter ending in ">" does not match the path itself.
      for (const filter of [`${subject}.>`, subject]) await link.manager.streams.purge(names.stream, { filter });
    },
    async depth() {
      return (await link.manager.streams.info(names.stream)).state.messages;
    },
  };
}

async function publish({ name, names, link, ensure }: NatsQueueOptions, id: string, data: Uint8Array): Promise<void> {
  const subject = subjectOf(names, id);
  checkMessageSize(id, data);
  const startedAt = systemClock.nowMs();
  for (;;) {
    if (link.closing.aborted) throw new AmalgamError("unavailable", "the bus is closed");
    try {
      await link.js.publish(subject, data, { msgID: subject, timeout: REQUEST_TIMEOUT_MS });
      return;
    } catch (cause) {
      if (cause instanceof JetStreamApiError && FULL_CODES.has(cause.code))
        throw new AmalgamError("resource_exhausted", `queue ${name} is full: ${cause.message}`, { cause });
      if (systemClock.nowMs() - startedAt > PUBLISH_TIMEOUT_MS)
        throw new AmalgamError("unavailable", `NATS did not store message ${id} within ${PUBLISH_TIMEOUT_MS} ms`, {
          cause,
        });
      // The stream may be gone with a server that lost its disk.
      await ensure().catch(() => {});
      await systemClock.sleep(PAUSE_MS);
    }
  }
}

async function* pull(context: NatsQueueOptions, stop: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
  const { name, names, ensure, options } = context;
  const log = options.log?.child({ queue: name });
  const screen = createScreen(name, options);
  let inTrouble = false;
  while (!stop.aborted) {
    let message: JsMsg | undefined;
    try {
      message = await fetchOne(context, stop);
      inTrouble = false;
    } catch (err) {
      if (stop.aborted) return;
      if (!inTrouble) log?.warn({ err }, "cannot pull from NATS; trying again until it works");
      inTrouble = true;
      await systemClock.sleep(PAUSE_MS);
      await ensure().catch(() => {});
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
async function fetchOne({ names, link }: NatsQueueOptions, stop: AbortSignal): Promise<JsMsg | undefined> {
  const consumer = await link.js.consumers.get(names.stream, names.durable);
  const messages = await consumer.fetch({ max_messages: 1, expires: PULL_EXPIRES_MS });
  const end = () => messages.stop();
  stop.addEventListener("abort", end, { once: true });
  // A server that comes back knows nothing of the requests that were waiting on it.
  const forget = link.onReconnect(end);
  if (stop.aborted) end();
  try {
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
        await message.ackAck({ timeout: ACK_TIMEOUT_MS });
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
