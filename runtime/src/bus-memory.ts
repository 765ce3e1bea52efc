/**
 * The bus within one process: the same promises as JetStream (bus-nats.ts) while the process lives, and none beyond; the
 * publisher's journal is what survives.
 */
import {
  type Bus,
  type BusOptions,
  checkMessageSize,
  DEDUPE_WINDOW_MS,
  DEFAULT_ACK_WAIT_MS,
  DEFAULT_MAX_QUEUE_BYTES,
  type Delivery,
  parseMessagePath,
  QUEUE_NAMES,
  type QueueName,
  type WorkQueue,
} from "./bus.ts";
import { createScreen } from "./bus-screen.ts";
import { type Clock, systemClock } from "./clock.ts";
import { AmalgamError } from "./errors.ts";

export interface MemoryBusOptions extends BusOptions {
  /** Times the window in which ids are remembered. */
  readonly clock?: Pick<Clock, "nowMs">;
}

export function createMemoryBus(options: MemoryBusOptions = {}): Bus {
  const closing = new AbortController();
  const queues = new Map(QUEUE_NAMES.map((name) => [name, createQueue(name, options, closing.signal)]));
  return {
    connected: true,
    connections: 1,
    queue: (name) => queues.get(name) as WorkQueue,
    async [Symbol.asyncDispose]() {
      closing.abort();
    },
  };
}

interface Entry {
  readonly id: string;
  readonly data: Uint8Array;
  deliveries: number;
  /** Running while a delivery is unsettled or a retry waits for its time; undefined while the entry waits in line. */
  timer: NodeJS.Timeout | undefined;
}

function createQueue(name: QueueName, options: MemoryBusOptions, closing: AbortSignal): WorkQueue {
  const {
    ackWaitMs = DEFAULT_ACK_WAIT_MS[name],
    maxQueueBytes = DEFAULT_MAX_QUEUE_BYTES,
    clock = systemClock,
  } = options;
  const screen = createScreen(name, options);
  /** Every unsettled message; `line` holds those that wait. */
  const entries = new Map<string, Entry>();
  const line: Entry[] = [];
  const takers: ((entry: Entry) => void)[] = [];
  /** Oldest first. */
  const publishedAtMs = new Map<string, number>();
  let bytes = 0;

  closing.addEventListener("abort", () => {
    for (const entry of entries.values()) clearTimeout(entry.timer);
  });
  const offer = (entry: Entry): void => {
    entry.timer = undefined;
    const taker = takers.shift();
    if (taker === undefined) line.push(entry);
    else taker(entry);
  };
  const offerLater = (entry: Entry, ms: number): void => {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => offer(entry), ms);
  };
  const remove = (entry: Entry): void => {
    if (entries.get(entry.id) !== entry) return;
    clearTimeout(entry.timer);
    entries.delete(entry.id);
    bytes -= entry.data.length;
    const place = line.indexOf(entry);
    if (place >= 0) line.splice(place, 1);
  };
  const isKnown = (id: string): boolean => {
    const now = clock.nowMs();
    for (const [old, at] of publishedAtMs) {
      if (now - at < DEDUPE_WINDOW_MS) break;
      publishedAtMs.delete(old);
    }
    return publishedAtMs.has(id);
  };
  const take = (signal: AbortSignal): Promise<Entry | undefined> =>
    new Promise((resolve) => {
      const next = line.shift();
      if (next !== undefined || signal.aborted) return resolve(next);
      const taker = (entry: Entry) => {
        signal.removeEventListener("abort", stop);
        resolve(entry);
      };
      const stop = () => {
        takers.splice(takers.indexOf(taker), 1);
        resolve(undefined);
      };
      signal.addEventListener("abort", stop, { once: true });
      takers.push(taker);
    });
  const deliver = (entry: Entry): Delivery => {
    const deliveries = ++entry.deliveries;
    let settled = false;
    const isHeld = () => !settled && entries.get(entry.id) === entry && entry.deliveries === deliveries;
    offerLater(entry, ackWaitMs);
    return {
      id: entry.id,
      data: entry.data,
      deliveries,
      working: () => {
        if (isHeld() && entry.timer !== undefined) offerLater(entry, ackWaitMs);
      },
      // An acknowledgement counts however late it comes, as it does in JetStream.
      ack: async () => remove(entry),
      retry: (delayMs) => {
        if (isHeld() && entry.timer !== undefined) offerLater(entry, delayMs);
        settled = true;
      },
      discard: () => remove(entry),
    };
  };

  return {
    name,
    ackWaitMs,
    async publish(id, data) {
      parseMessagePath(id);
      checkMessageSize(id, data);
      if (closing.aborted) throw new AmalgamError("unavailable", "the bus is closed");
      if (isKnown(id)) return;
      if (bytes + data.length > maxQueueBytes)
        throw new AmalgamError("resource_exhausted", `queue ${name} is full (${maxQueueBytes} bytes)`);
      const entry: Entry = { id, data: data.slice(), deliveries: 0, timer: undefined };
      publishedAtMs.set(id, clock.nowMs());
      entries.set(id, entry);
      bytes += data.length;
      offer(entry);
    },
    async *pull({ signal }) {
      const stop = AbortSignal.any([signal, closing]);
      while (!stop.aborted) {
        const entry = await take(stop);
        if (entry === undefined) return;
        const delivery = await screen(deliver(entry));
        if (delivery !== undefined) yield delivery;
      }
    },
    async purge(path) {
      const under = `${parseMessagePath(path).join("/")}/`;
      for (const entry of [...entries.values()]) if (`${entry.id}/`.startsWith(under)) remove(entry);
    },
    depth: async () => entries.size,
  };
}
