/**
 * What both buses do with a message before a consumer sees it: count redeliveries and sort out dead letters. The receiver
 * does this, not the server: JetStream's own `max_deliver` leaves the message in a work queue for ever and reports it once,
 * to whoever listens at that moment.
 */
import { Counter, type Registry } from "prom-client";
import { type BusOptions, DEFAULT_ACK_WAIT_MS, DEFAULT_MAX_DELIVERIES, type Delivery, type QueueName } from "./bus.ts";
import { getOrRegister } from "./metrics.ts";

/** The delivery if it should be worked on; undefined if it was a dead letter and has been dealt with. */
export type Screen = (delivery: Delivery) => Promise<Delivery | undefined>;

export function createScreen(queue: QueueName, options: BusOptions): Screen {
  const {
    maxDeliveries = DEFAULT_MAX_DELIVERIES,
    ackWaitMs = DEFAULT_ACK_WAIT_MS[queue],
    onDeadLetter,
    metrics,
  } = options;
  const log = options.log?.child({ queue });
  const redeliveries = metrics && createCounter(metrics, "redeliveries", "Messages delivered again.");
  const deadLetters = metrics && createCounter(metrics, "dead_letters", "Messages given up after too many deliveries.");
  return async (delivery) => {
    const { id, data, deliveries } = delivery;
    if (deliveries > 1) redeliveries?.inc({ queue });
    if (deliveries <= maxDeliveries) return delivery;
    try {
      await onDeadLetter?.({ queue, id, data, deliveries: maxDeliveries });
    } catch (err) {
      log?.error({ id, err }, "a dead letter could not be reported and will come again");
      delivery.retry(ackWaitMs);
      return undefined;
    }
    log?.error({ id, deliveries: maxDeliveries }, "dead letter: delivered too often and never settled, now removed");
    deadLetters?.inc({ queue });
    delivery.discard("delivered too often");
    return undefined;
  };
}

function createCounter(registry: Registry, what: string, help: string): Counter<"queue"> {
  const name = `amalgam_bus_${what}_total`;
  return getOrRegister(registry, name, () => new Counter({ name, help, labelNames: ["queue"], registers: [registry] }));
}
