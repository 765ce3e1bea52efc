// The contract of the bus, held by both implementations. What only a server can do to it is in bus-nats.test.ts.
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bus, type BusOptions, type DeadLetter, type Delivery, MAX_MESSAGE_BYTES, type WorkQueue } from "./bus.ts";
import { consume } from "./bus-consume.ts";
import { createMemoryBus } from "./bus-memory.ts";
import { createNatsBus } from "./bus-nats.ts";
import { poll } from "./clock.ts";
import { AmalgamError } from "./errors.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = ({ data }: { data: Uint8Array }) => new TextDecoder().decode(data);

/** The next delivery; fails the test when none comes. */
async function next(queue: WorkQueue, timeoutMs = 10_000): Promise<Delivery> {
  for await (const delivery of queue.pull({ signal: AbortSignal.timeout(timeoutMs) })) return delivery;
  return expect.fail(`no delivery within ${timeoutMs} ms`);
}
/** Whether nothing is delivered for a while. */
async function isSilent(queue: WorkQueue, forMs: number): Promise<boolean> {
  for await (const delivery of queue.pull({ signal: AbortSignal.timeout(forMs) })) {
    delivery.retry(0);
    return false;
  }
  return true;
}

describe.each(["memory", "nats"])("the %s bus", { concurrent: true }, (kind) => {
  let server: NatsServer | undefined;
  let count = 0;
  beforeAll(async () => {
    if (kind === "nats") server = await startNatsServer();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const createBus = (options: BusOptions = {}): Promise<Bus> =>
    server === undefined
      ? Promise.resolve(createMemoryBus(options))
      : createNatsBus({ url: server.url, prefix: `test-${++count}`, ...options });

  test("delivers what was published, in order, and forgets what was acknowledged", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    for (const name of ["a", "b", "c"]) await queue.publish(`job/${name}`, bytes(name));
    expect(await queue.depth()).toBe(3);
    for (const name of ["a", "b", "c"]) {
      const delivery = await next(queue);
      expect([delivery.id, text(delivery), delivery.deliveries]).toEqual([`job/${name}`, name, 1]);
      await delivery.ack();
    }
    expect(await queue.depth()).toBe(0);
    expect(bus.connected).toBe(true);
  });

  test("keeps its queues apart", async () => {
    await using bus = await createBus();
    await bus.queue("scores").publish("job/a", bytes("score"));
    expect(await isSilent(bus.queue("evaluations"), 300)).toBe(true);
    expect(text(await next(bus.queue("scores")))).toBe("score");
  });

  test("drops a second message with the same id, also after the first was handled", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("first"));
    await queue.publish("job/a", bytes("second"));
    const delivery = await next(queue);
    expect(text(delivery)).toBe("first");
    await delivery.ack();
    await queue.publish("job/a", bytes("third"));
    expect(await queue.depth()).toBe(0);
  });

  test("carries any text in an id and refuses malformed ones", async () => {
    await using bus = await createBus();
    const queue = bus.queue("scores");
    const id = "job.1/candidate *>/sst-2 é=0/$x";
    await queue.publish(id, bytes("odd"));
    expect((await next(queue)).id).toBe(id);
    for (const bad of ["", "/a", "a//b", `${"a/".repeat(8)}a`])
      await expect(queue.publish(bad, bytes("x"))).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("carries messages up to its limit and refuses larger ones", async () => {
    await using bus = await createBus();
    const queue = bus.queue("scores");
    await queue.publish("job/large", new Uint8Array(MAX_MESSAGE_BYTES));
    expect((await next(queue)).data).toHaveLength(MAX_MESSAGE_BYTES);
    await expect(queue.publish("job/larger", new Uint8Array(MAX_MESSAGE_BYTES + 1))).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });

  test("refuses what a full queue cannot hold, and takes it when there is room again", async () => {
    await using bus = await createBus({ maxQueueBytes: 64 * 1024 });
    const queue = bus.queue("evaluations");
    const publish = (index: number) => queue.publish(`job/${index}`, new Uint8Array(10 * 1024));
    let stored = 0;
    const fill = async () => {
      for (;;) await publish(stored).then(() => stored++);
    };
    await expect(fill()).rejects.toMatchObject({ code: "resource_exhausted" });
    expect(stored).toBeGreaterThan(3);
    expect(await queue.depth()).toBe(stored);
    await (await next(queue)).ack();
    await publish(stored);
  });

  test("gives each message to one of several consumers", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    const ids = Array.from({ length: 60 }, (_, index) => `job/${index}`);
    for (const id of ids) await queue.publish(id, bytes(id));
    const done = new AbortController();
    const seen: string[][] = [[], [], []];
    await Promise.all(
      seen.map(async (mine) => {
        for await (const delivery of queue.pull({ signal: done.signal })) {
          mine.push(delivery.id);
          await delivery.ack();
          if (seen.flat().length === ids.length) done.abort();
        }
      }),
    );
    expect(seen.flat().sort()).toEqual([...ids].sort());
    expect(await queue.depth()).toBe(0);
  });

  test("does not fetch ahead: what one consumer has not come for goes to another", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    for (const name of ["a", "b"]) await queue.publish(name, bytes(name));
    const slow = queue.pull({ signal: AbortSignal.timeout(10_000) })[Symbol.asyncIterator]();
    expect((await slow.next()).value.id).toBe("a");
    expect((await next(queue, 2_000)).id).toBe("b");
    await slow.return?.();
  });

  test("delivers again what was not settled in time, and counts it", async () => {
    await using bus = await createBus({ ackWaitMs: 500 });
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    expect((await next(queue)).deliveries).toBe(1);
    const again = await next(queue);
    expect([again.id, again.deliveries]).toEqual(["job/a", 2]);
    await again.ack();
    expect(await isSilent(queue, 1_000)).toBe(true);
  });

  test("waits on for a consumer that says it is working", async () => {
    await using bus = await createBus({ ackWaitMs: 600 });
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    const delivery = await next(queue);
    const heartbeat = setInterval(() => delivery.working(), 150);
    expect(await isSilent(queue, 1_800)).toBe(true);
    clearInterval(heartbeat);
    await delivery.ack();
    expect(await queue.depth()).toBe(0);
  });

  test("accepts an acknowledgement that comes late", async () => {
    await using bus = await createBus({ ackWaitMs: 400 });
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    const first = await next(queue);
    const second = await next(queue);
    await first.ack();
    expect(await queue.depth()).toBe(0);
    await second.ack();
  });

  test("delivers again after the delay that a consumer asks for", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    (await next(queue)).retry(700);
    const askedAt = performance.now();
    expect((await next(queue)).deliveries).toBe(2);
    expect(performance.now() - askedAt).toBeGreaterThan(600);
  });

  test("never delivers what was discarded again", async () => {
    await using bus = await createBus({ ackWaitMs: 300 });
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    (await next(queue)).discard("nonsense");
    expect(await isSilent(queue, 900)).toBe(true);
    expect(await queue.depth()).toBe(0);
  });

  test("reports a message that is delivered too often, then removes it", async () => {
    const letters: DeadLetter[] = [];
    let reports = 0;
    const onDeadLetter = async (letter: DeadLetter) => {
      if (++reports === 1) throw new Error("the reporter is down");
      letters.push(letter);
    };
    const metrics = new Registry();
    await using bus = await createBus({ ackWaitMs: 300, maxDeliveries: 2, onDeadLetter, metrics });
    const queue = bus.queue("evaluations");
    await queue.publish("job/poison", bytes("boom"));
    await queue.publish("job/fine", bytes("ok"));
    const handled: string[] = [];
    const done = new AbortController();
    const handleAll = async () => {
      for await (const delivery of queue.pull({ signal: done.signal })) {
        handled.push(delivery.id);
        if (delivery.id === "job/fine") await delivery.ack();
        else delivery.retry(0);
      }
    };
    const isRemoved = async () => letters.length > 0 && (await queue.depth()) === 0;
    await Promise.all([
      handleAll(),
      poll(isRemoved, { what: "the dead letter to be removed", timeoutMs: 8_000 }).finally(() => done.abort()),
    ]);
    expect(handled.filter((id) => id === "job/poison")).toHaveLength(2);
    expect(letters.map((letter) => [letter.queue, letter.id, text(letter), letter.deliveries])).toEqual([
      ["evaluations", "job/poison", "boom", 2],
    ]);
    expect(reports).toBe(2);
    expect(await metrics.metrics()).toContain('amalgam_bus_dead_letters_total{queue="evaluations"} 1');
  });

  test("drops a job's messages, waiting or worked on, and no others", async () => {
    await using bus = await createBus({ ackWaitMs: 400 });
    const queue = bus.queue("evaluations");
    for (const id of ["job-1/a/x", "job-1/b/x", "job-10/a/x", "job-1"]) await queue.publish(id, bytes(id));
    const worked = await next(queue);
    expect(worked.id).toBe("job-1/a/x");
    await queue.purge("job-1");
    await worked.ack();
    const rest = await next(queue);
    expect(rest.id).toBe("job-10/a/x");
    await rest.ack();
    expect(await isSilent(queue, 800)).toBe(true);
    expect(await queue.depth()).toBe(0);
  });

  test("ends its pulls when their signal aborts and when it is disposed", async () => {
    const bus = await createBus();
    const queue = bus.queue("evaluations");
    const startedAt = performance.now();
    const collect = async (signal: AbortSignal) => {
      for await (const delivery of queue.pull({ signal })) expect.fail(`unexpected ${delivery.id}`);
    };
    await collect(AbortSignal.abort());
    await collect(AbortSignal.timeout(100));
    const endless = collect(new AbortController().signal);
    await bus[Symbol.asyncDispose]();
    await endless;
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await expect(queue.publish("job/late", bytes("x"))).rejects.toMatchObject({ code: "unavailable" });
  });

  test("gives a message meant for a consumer that has stopped to the next one", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    for (let round = 0; round < 5; round++) {
      const stop = new AbortController();
      const stopped = isSilentUntil(queue, stop.signal);
      await queue.depth();
      stop.abort();
      await stopped;
      await queue.publish(`job/${round}`, bytes("x"));
      const delivery = await next(queue, 3_000);
      expect(delivery.id).toBe(`job/${round}`);
      await delivery.ack();
    }
  });

  test("consume() holds a message while its handler works and acknowledges it afterwards", async () => {
    await using bus = await createBus({ ackWaitMs: 500 });
    const queue = bus.queue("evaluations");
    await queue.publish("job/slow", bytes("slow"));
    const stop = new AbortController();
    const handled: string[] = [];
    const meanwhile: string[] = [];
    // The handler works until a message that nobody holds has twice not been settled in time.
    const handle = async ({ id }: { id: string }) => {
      handled.push(id);
      await queue.publish("job/dropped", bytes("dropped"));
      for await (const { id, deliveries, ack } of queue.pull({ signal: AbortSignal.timeout(10_000) })) {
        meanwhile.push(id);
        if (deliveries === 3) return ack();
      }
    };
    const isEmpty = async () => (await queue.depth()) === 0;
    await Promise.all([
      consume(queue, handle, { signal: stop.signal }),
      poll(isEmpty, { what: "an empty queue", timeoutMs: 12_000 }).finally(() => stop.abort()),
    ]);
    expect(handled).toEqual(["job/slow"]);
    expect(meanwhile).toEqual(["job/dropped", "job/dropped", "job/dropped"]);
  });

  test("consume() tries a message again whose handler throws, and gives it back when it is stopped", async () => {
    await using bus = await createBus();
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("a"));
    const stop = new AbortController();
    const calls: number[] = [];
    await consume(
      queue,
      async ({ deliveries }, { signal }) => {
        calls.push(deliveries);
        if (deliveries < 3) throw new AmalgamError("unavailable", "no shard yet");
        stop.abort();
        signal.throwIfAborted();
      },
      { signal: stop.signal, random: () => 0.01 },
    );
    expect(calls).toEqual([1, 2, 3]);
    expect((await next(queue, 2_000)).deliveries).toBe(4);
  });
});

async function isSilentUntil(queue: WorkQueue, signal: AbortSignal): Promise<void> {
  for await (const delivery of queue.pull({ signal })) delivery.retry(0);
}

test("the memory bus forgets ids after an hour", async () => {
  let nowMs = 0;
  await using bus = createMemoryBus({ clock: { nowMs: () => nowMs } });
  const queue = bus.queue("evaluations");
  await queue.publish("job/a", bytes("a"));
  await (await next(queue)).ack();
  nowMs = 59 * 60_000;
  await queue.publish("job/a", bytes("a"));
  expect(await queue.depth()).toBe(0);
  nowMs = 61 * 60_000;
  await queue.publish("job/a", bytes("a"));
  expect(await queue.depth()).toBe(1);
});
