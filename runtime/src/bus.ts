/**
 * Work queues between the coordinator and the evaluators: at-least-once, competing consumers, idempotent publishing. The
 * bus is transport, never the record: whoever publishes keeps a journal and publishes again after a loss. Two
 * implementations (bus-memory.ts, bus-nats.ts) pass one suite of contract tests.
 */
import type { Registry } from "prom-client";
import { AmalgamError } from "./errors.ts";
import type { Logger } from "./log.ts";

export const QUEUE_NAMES = ["evaluations", "scores"] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

export interface Bus extends AsyncDisposable {
  queue(name: QueueName): WorkQueue;
  /** False while the connection is lost and being made again; always true in process. For `/readyz` and a gauge. */
  readonly connected: boolean;
  /** Connections made so far. When it has grown, what was published before may be lost: the server may have lost its store. */
  readonly connections: number;
}

export interface WorkQueue {
  readonly name: QueueName;
  /** How long a delivery may stay unsettled before it is delivered again. */
  readonly ackWaitMs: number;
  /**
   * Resolves when the message is stored. A second message with the same id within an hour is dropped, even if the first
   * was acknowledged, purged or dead-lettered meanwhile (a lost server forgets).
   * @param id path of 1 to 8 non-empty segments joined by "/", the job first: "job-1/candidate-3/sst2/0".
   * @throws AmalgamError `invalid_argument` for a malformed id, `resource_exhausted` when the queue is full, `unavailable`
   *   when the message could not be stored in time (it may have been: publish again).
   */
  publish(id: string, data: Uint8Array): Promise<void>;
  /**
   * Deliveries, one at a time: the next is asked for when the consumer comes back for it. Ends when `signal` aborts, and
   * not before: a lost connection is waited out. A delivery that is not settled within `ackWaitMs` of its arrival (or of
   * the last `working()`) is delivered again, to anyone. See {@link consume} for a loop that does this for a handler.
   */
  pull(options: { signal: AbortSignal }): AsyncIterable<Delivery>;
  /** Drops every message that waits or is being worked on and whose id equals `path` or lies under it. */
  purge(path: string): Promise<void>;
  /** Messages that are not yet settled, waiting or being worked on. */
  depth(): Promise<number>;
}

export interface Delivery {
  readonly id: string;
  readonly data: Uint8Array;
  /** How often this message has been delivered, this time included. */
  readonly deliveries: number;
  /** Starts the wait for the acknowledgement afresh. */
  working(): void;
  /** Resolves when the queue has confirmed that the message is gone. Rejects with `unavailable`: it may come again. */
  ack(): Promise<void>;
  /** Gives the message back, to be delivered again after `delayMs`. */
  retry(delayMs: number): void;
  /** Removes the message for good: it can never be handled. */
  discard(reason: string): void;
}

/** A message that was delivered `maxDeliveries` times and never settled: it kills or outlives whoever works on it. */
export interface DeadLetter {
  readonly queue: QueueName;
  readonly id: string;
  readonly data: Uint8Array;
  readonly deliveries: number;
}

/** Options that both implementations share. */
export interface BusOptions {
  /** Of every queue. Default: {@link DEFAULT_ACK_WAIT_MS}. */
  readonly ackWaitMs?: number;
  /** Default 5. */
  readonly maxDeliveries?: number;
  /** What one queue may hold; publishing to a full one fails with `resource_exhausted`. Default 256 MiB. */
  readonly maxQueueBytes?: number;
  /**
   * Called, by the process that is next to receive it, before a dead letter is removed. If it rejects, the message stays
   * and is reported again after `ackWaitMs`: at-least-once.
   */
  readonly onDeadLetter?: ((letter: DeadLetter) => Promise<void> | void) | undefined;
  readonly log?: Logger | undefined;
  /** `amalgam_bus_redeliveries_total`, `amalgam_bus_dead_letters_total`. */
  readonly metrics?: Registry | undefined;
}

/**
 * An evaluation is worked on for long, by processes that may stall; a score is only written down, and one that was delivered
 * to a coordinator that died should be with the next one soon.
 */
export const DEFAULT_ACK_WAIT_MS: Readonly<Record<QueueName, number>> = { evaluations: 30_000, scores: 5_000 };
export const DEFAULT_MAX_DELIVERIES = 5;
export const DEDUPE_WINDOW_MS: number = 60 * 60 * 1000;
export const DEFAULT_MAX_QUEUE_BYTES: number = 256 * 1024 * 1024;
/** JetStream's default `max_payload`. Messages carry references, never tensors. */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024 - 4096;

/** The segments of a message id or purge path. */
export function parseMessagePath(path: string): readonly string[] {
  const segments = path.split("/");
  if (segments.length > 8 || path.length > 512 || segments.includes(""))
    throw new AmalgamError(
      "invalid_argument",
      `message id ${JSON.stringify(path)}: must be 1 to 8 non-empty segments joined by "/", at most 512 characters`,
    );
  return segments;
}

/** Throws unless `data` fits the queue's message size. */
export function checkMessageSize(id: string, data: Uint8Array): void {
  if (data.length > MAX_MESSAGE_BYTES)
    throw new AmalgamError(
      "invalid_argument",
      `message ${id}: ${data.length} bytes; a bus message holds at most ${MAX_MESSAGE_BYTES} (send a reference instead)`,
    );
}
