import fc from "fast-check";
import { expect, test } from "vitest";
import { createChannel } from "./channel.ts";

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test("what was pushed comes out in order, before and after the reader arrives, until it is closed", async () => {
  const channel = createChannel<number>();
  channel.push(1);
  const reading = collect(channel);
  channel.push(2);
  await Promise.resolve();
  channel.push(3);
  channel.close();
  expect(await reading).toEqual([1, 2, 3]);
  expect(channel.push(4)).toBe(false);
});

test("closing with an error ends the reader with it, after what was pushed", async () => {
  const channel = createChannel<number>();
  channel.push(1);
  channel.close(new Error("cut"));
  const seen: number[] = [];
  const read = async () => {
    for await (const value of channel) seen.push(value);
  };
  await expect(read()).rejects.toThrow("cut");
  expect(seen).toEqual([1]);
  const waiting = createChannel<number>();
  const failed = expect(collect(waiting)).rejects.toThrow("late");
  waiting.close(new Error("late"));
  await failed;
});

test("an error that nobody reads does not end the process", async () => {
  createChannel<number>().close(new Error("unheard"));
  await new Promise((resolve) => setImmediate(resolve));
});

test("a sender waits while the channel is over its capacity, and is told when the reader leaves", async () => {
  const channel = createChannel<number>({ capacity: 1 });
  expect(await channel.send(1)).toBe(true);
  let sent: boolean | undefined;
  const second = channel.send(2).then((accepted) => {
    sent = accepted;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(sent).toBeUndefined();
  const reader = channel[Symbol.asyncIterator]();
  expect(await reader.next()).toEqual({ done: false, value: 1 });
  await second;
  expect(sent).toBe(true);
  const third = channel.send(3);
  await reader.return?.();
  expect(await third).toBe(false);
  expect(await channel.send(4)).toBe(false);
});

test("leaving the loop ends a reader that waits", async () => {
  const channel = createChannel<number>();
  const reader = channel[Symbol.asyncIterator]();
  const waiting = reader.next();
  await reader.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test("whatever the capacity and the pace, every value arrives once and in order", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 50 }),
      fc.integer({ min: 0, max: 5 }),
      async (pauses, capacity) => {
        const channel = createChannel<number>({ capacity });
        const produce = async () => {
          for (const [index, pause] of pauses.entries()) {
            if (pause) await Promise.resolve();
            await channel.send(index);
            expect(channel.size).toBeLessThanOrEqual(capacity + 1);
          }
          channel.close();
        };
        const [values] = await Promise.all([collect(channel), produce()]);
        expect(values).toEqual([...pauses.keys()]);
      },
    ),
  ));
