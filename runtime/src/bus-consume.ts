/** The loop of a consumer: take a message, keep it while the handler works, settle it by how the handler ends. */
import { backoffMs } from "./backoff.ts";
import type { Delivery, WorkQueue } from "./bus.ts";
import { toAmalgamError } from "./errors.ts";
import type { Logger } from "./log.ts";

export interface ConsumeOptions {
  /** Ends the loop. The handler at work is told; what it does not finish is given back at once. */
  readonly signal: AbortSignal;
  readonly log?: Logger | undefined;
  /** Uniform in [0, 1); spreads retries. Default Math.random. */
  readonly random?: () => number;
}

/** What a handler gets: the message, and nothing to settle it with. */
export type Message = Pick<Delivery, "id" | "data" | "deliveries">;

const RETRY = { baseMs: 500, maxMs: 30_000 } as const;

/**
 * Handles messages one at a time until `signal` aborts; run several for more at once. A handler that returns has its
 * message acknowledged. One that throws gets it again after a growing pause, until the message is a dead letter. The
 * message is held (not delivered to others) for as long as the handler runs.
 */
export async function consume(
  queue: WorkQueue,
  handle: (message: Message, context: { signal: AbortSignal }) => Promise<void>,
  { signal, log, random = Math.random }: ConsumeOptions,
): Promise<void> {
  for await (const delivery of queue.pull({ signal })) {
    const { id, data, deliveries } = delivery;
    const heartbeat = setInterval(() => delivery.working(), queue.ackWaitMs / 3);
    try {
      await handle({ id, data, deliveries }, { signal });
      await delivery.ack();
    } catch (err) {
      const delayMs = signal.aborted ? 0 : backoffMs(deliveries, { ...RETRY, random });
      delivery.retry(delayMs);
      if (!signal.aborted)
        log?.warn(
          { queue: queue.name, id, deliveries, delayMs: Math.round(delayMs), code: toAmalgamError(err).code, err },
          "message not handled, will be tried again",
        );
    } finally {
      clearInterval(heartbeat);
    }
  }
}
