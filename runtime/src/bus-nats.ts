/**
 * The bus over NATS JetStream: one work-queue stream and one durable pull consumer per queue, messages fetched one at a
 * time (a consumer that fetches ahead lets messages expire in its own buffer: nats-io/nats.go#1929). Works with
 * nats-server 2.9 and newer; 2.9 itself, when killed, may keep messages that were acknowledged: they are not delivered again,
 * but `depth` counts them. Lost connections are made again for ever; a stream that is gone is made again, empty.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import { Gauge } from "prom-client";
import {
  type Bus,
  type BusOptions,
  DEDUPE_WINDOW_MS,
  DEFAULT_ACK_WAIT_MS,
  DEFAULT_MAX_QUEUE_BYTES,
  MAX_MESSAGE_BYTES,
  QUEUE_NAMES,
  type QueueName,
  type WorkQueue,
} from "./bus.ts";
import { createNatsQueue, type NatsLink, type NatsNames } from "./bus-nats-queue.ts";
import { systemClock } from "./clock.ts";
import { AmalgamError, toAmalgamError } from "./errors.ts";
import { redact } from "./log.ts";
import { getOrRegister } from "./metrics.ts";

export interface NatsBusOptions extends BusOptions {
  /** "nats://host:4222", several separated by commas. User and password, or a token, may stand in the URL. */
  readonly url: string;
  /** Names streams and subjects, so that several deployments can share a server. Letters, digits, "-", "_". */
  readonly prefix?: string;
  /** How long to try at the start before giving up. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** Copies of each stream in a NATS cluster. Default 1. */
  readonly replicas?: number;
}

/**
 * Connects, and creates or updates streams and consumers.
 * @throws AmalgamError `unavailable` when no server answers in time, `failed_precondition` when it lacks JetStream,
 *   `unauthenticated` when it refuses the credentials, `invalid_argument` for a malformed prefix or URL.
 */
export async function createNatsBus(options: NatsBusOptions): Promise<Bus> {
  const { prefix = "amalgam", log, metrics } = options;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(prefix))
    throw new AmalgamError(
      "invalid_argument",
      `NATS prefix ${JSON.stringify(prefix)}: letters, digits, "-" and "_" only`,
    );
  const connection = await connectWithin(options);
  const closing = new AbortController();
  const reconnectListeners = new Set<() => void>();
  const state: LinkState = { connected: true, connections: 1 };
  watch(connection, state, reconnectListeners, options);
  if (metrics !== undefined) registerConnected(metrics, state);
  try {
    const manager = await withJetStream(options.url, () => jetstreamManager(connection));
    const link: NatsLink = {
      connection,
      js: jetstream(connection),
      manager,
      closing: closing.signal,
      onReconnect(listener) {
        reconnectListeners.add(listener);
        return () => reconnectListeners.delete(listener);
      },
    };
    const queues = new Map<QueueName, WorkQueue>();
    for (const name of QUEUE_NAMES) {
      const names = { stream: `${prefix}_${name}`, subjects: `${prefix}.${name}`, durable: "workers" };
      const ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS[name];
      const ensure = () => ensureQueue(manager, names, ackWaitMs, options);
      await withJetStream(options.url, ensure);
      queues.set(name, createNatsQueue({ name, names, link, ensure, options }));
    }
    log?.info({ url: redact(options.url), prefix, server: connection.info?.version }, "connected to NATS");
    return {
      get connected() {
        return state.connected;
      },
      get connections() {
        return state.connections;
      },
      queue: (name) => queues.get(name) as WorkQueue,
      async [Symbol.asyncDispose]() {
        closing.abort();
        await closeConnection(connection, state.connected);
      },
    };
  } catch (thrown) {
    await connection.close();
    throw thrown;
  }
}

async function connectWithin({ url, connectTimeoutMs = 10_000, log }: NatsBusOptions): Promise<NatsConnection> {
  const { servers, credentials } = parseUrl(url);
  const startedAt = systemClock.nowMs();
  for (;;) {
    const leftMs = Math.max(1, connectTimeoutMs - (systemClock.nowMs() - startedAt));
    try {
      return await connect({
        servers,
        ...credentials,
        name: "amalgam",
        timeout: leftMs,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 20_000,
        maxPingOut: 2,
      });
    } catch (cause) {
      const problem = toAmalgamError(cause).message;
      if (/authorization|authentication/i.test(problem))
        throw new AmalgamError("unauthenticated", `NATS at ${redact(url)} refuses the credentials: ${problem}`, {
          cause,
        });
      if (systemClock.nowMs() - startedAt >= connectTimeoutMs)
        throw new AmalgamError(
          "unavailable",
          `cannot reach NATS at ${redact(url)} within ${connectTimeoutMs} ms (${problem}). ` +
            "Start nats-server with JetStream (nats-server -js) there, or name another with --nats",
          { cause },
        );
      log?.debug({ url: redact(url), problem }, "NATS does not answer yet");
      await systemClock.sleep(Math.min(250, leftMs));
    }
  }
}

/** The client takes credentials as options, not in the URL. */
function parseUrl(url: string): {
  servers: string[];
  credentials: { user?: string; pass?: string; token?: string };
} {
  const urls = url.split(",").map((one) => {
    const parsed = URL.parse(one.includes("://") ? one.trim() : `nats://${one.trim()}`);
    if (parsed === null || !/^(nats|tls):$/.test(parsed.protocol) || parsed.hostname === "")
      throw new AmalgamError(
        "invalid_argument",
        `NATS URL ${JSON.stringify(redact(one))}: must look like nats://host:4222`,
      );
    return parsed;
  });
  const { username, password } = urls[0] as URL;
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  return {
    servers: urls.map(({ protocol, host }) => `${protocol}//${host}`),
    credentials: user === "" ? {} : pass === "" ? { token: user } : { user, pass },
  };
}

async function withJetStream<T>(url: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    const problem = toAmalgamError(cause).message;
    const advice = /jetstream.*not enabled|no responders/i.test(problem)
      ? "start it with JetStream (nats-server -js, or a jetstream block in its configuration)"
      : "see the server's log";
    throw new AmalgamError(
      "failed_precondition",
      `NATS at ${redact(url)} cannot hold the queues: ${problem}; ${advice}`,
      {
        cause,
      },
    );
  }
}

/** Creates the stream and its consumer, or brings their settings up to date. Nothing here needs more than server 2.9. */
async function ensureQueue(
  manager: JetStreamManager,
  { stream, subjects, durable }: NatsNames,
  ackWaitMs: number,
  { maxQueueBytes = DEFAULT_MAX_QUEUE_BYTES, replicas = 1 }: NatsBusOptions,
): Promise<void> {
  const streamConfig: Partial<StreamConfig> & { name: string } = {
    name: stream,
    subjects: [`${subjects}.>`],
    retention: RetentionPolicy.Workqueue,
    // The default policy, discarding old messages, would drop work without a word.
    discard: DiscardPolicy.New,
    storage: StorageType.File,
    max_bytes: maxQueueBytes,
    max_msg_size: MAX_MESSAGE_BYTES + 1024,
    duplicate_window: nanos(DEDUPE_WINDOW_MS),
    num_replicas: replicas,
  };
  const consumerConfig: Partial<ConsumerConfig> & { durable_name: string } = {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    // Dead letters are the receiver's business (bus-screen.ts).
    max_deliver: -1,
    max_ack_pending: 10_000,
  };
  const known = await manager.streams.info(stream).catch(() => undefined);
  if (known === undefined) await manager.streams.add(streamConfig);
  else await manager.streams.update(stream, streamConfig);
  const consumer = await manager.consumers.info(stream, durable).catch(() => undefined);
  if (consumer === undefined) await manager.consumers.add(stream, consumerConfig);
  else if (consumer.config.ack_wait !== consumerConfig.ack_wait) {
    await manager.consumers.update(stream, durable, consumerConfig);
  }
}

interface LinkState {
  connected: boolean;
  connections: number;
}

/** Follows the connection's state; says once that it is lost and once that it is back. */
function watch(
  connection: NatsConnection,
  state: LinkState,
  listeners: Set<() => void>,
  { log, url }: NatsBusOptions,
): void {
  const follow = async () => {
    for await (const { type } of connection.status()) {
      if (type === "disconnect" && state.connected) {
        state.connected = false;
        log?.warn({ url: redact(url) }, "NATS connection lost; trying again until it is back, work in hand goes on");
      } else if (type === "reconnect") {
        state.connected = true;
        state.connections++;
        log?.info({ url: redact(url), server: connection.info?.version }, "NATS connection is back");
        for (const listener of [...listeners]) listener();
      }
    }
    state.connected = false;
  };
  void follow();
}

function registerConnected(metrics: NonNullable<BusOptions["metrics"]>, state: { connected: boolean }): void {
  const name = "amalgam_nats_connected";
  getOrRegister(
    metrics,
    name,
    () =>
      new Gauge({
        name,
        help: "1 while this process is connected to NATS, else 0.",
        registers: [metrics],
        collect() {
          this.set(state.connected ? 1 : 0);
        },
      }),
  );
}

/** Lets what was published go out, but not for ever. */
async function closeConnection(connection: NatsConnection, connected: boolean): Promise<void> {
  if (connection.isClosed()) return;
  if (connected) {
    const timeout = AbortSignal.timeout(5_000);
    await Promise.race([
      connection.drain().catch(() => {}),
      new Promise((resolve) => timeout.addEventListener("abort", resolve)),
    ]);
  }
  await connection.close();
}
