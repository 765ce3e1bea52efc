import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AmalgamError } from "./errors.ts";
import { ProbeService } from "./gen/probe/v1/probe_pb.ts";
import { createClient } from "./rpc-client.ts";
import { createLocalClient } from "./rpc-local.ts";
import { type RpcServer, serve } from "./rpc-server.ts";
import { bindService, type Client, type ServiceImpl } from "./rpc-wire.ts";

/** What the handlers saw, reset for each test. */
let seen: { produced: number; waiting: boolean; finished: string[]; reason: unknown; received: number };

const noteReason = (signal: AbortSignal) =>
  signal.addEventListener("abort", () => {
    seen.reason = signal.reason;
  });

const probe: ServiceImpl<typeof ProbeService> = {
  async say({ text }, { signal }) {
    if (text === "missing") throw new AmalgamError("not_found", "no shard 7");
    if (text === "bug") throw new TypeError("secret path /etc");
    if (text === "full disk") throw Object.assign(new Error("ENOSPC: /secret"), { code: "ENOSPC" });
    if (text === "own class") throw Object.assign(new Error("bad header"), { code: "invalid_argument" });
    noteReason(signal);
    if (text === "hang") {
      seen.waiting = true;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    if (text === "deaf") await new Promise(() => {});
    return { text: `hi ${text}` };
  },
  async *down({ text, count, chunkBytes }) {
    try {
      for (let index = 0; index < count; index++) {
        seen.produced++;
        yield { index, data: new Uint8Array(chunkBytes) };
      }
      if (text === "fail") throw new AmalgamError("aborted", "lease lost");
      if (text === "silent") {
        seen.waiting = true;
        await new Promise(() => {});
      }
    } finally {
      seen.finished.push("down");
    }
  },
  async up(chunks, { signal }) {
    let total = 0n;
    noteReason(signal);
    for await (const { data } of chunks) {
      seen.received++;
      total += BigInt(data.length);
      if (seen.received > 100) throw new AmalgamError("resource_exhausted", "too many");
    }
    return { total };
  },
  async *both(requests, { signal }) {
    noteReason(signal);
    try {
      for await (const { index } of requests) {
        if (index === 99) return;
        yield { index: index * 2 };
      }
      yield { index: 1000 };
    } finally {
      seen.finished.push("both");
    }
  },
};

const hasCode = (code: string, message?: string | RegExp) =>
  expect.objectContaining({
    name: "AmalgamError",
    code,
    ...(message === undefined ? {} : { message: expect.stringMatching(message) }),
  });
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => expect.fail("must reject"),
    (error: unknown) => error,
  );
async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}
async function* numbers(count: number) {
  for (let index = 0; index < count; index++) yield { index, data: new Uint8Array(1000) };
}

describe.each(["grpc-js", "in process"])("a service over %s", (transport) => {
  let server: RpcServer | undefined;
  let client: Client<typeof ProbeService>;
  const cleanup = new AsyncDisposableStack();

  beforeAll(async () => {
    if (transport === "in process") {
      client = createLocalClient(ProbeService, probe);
      return;
    }
    server = cleanup.use(
      await serve({ address: "127.0.0.1:0", services: [bindService(ProbeService, probe)], graceMs: 0 }),
    );
    client = cleanup.use(createClient(ProbeService, server.address));
  });
  afterAll(() => cleanup.disposeAsync());
  beforeEach(() => {
    seen = { produced: 0, waiting: false, finished: [], reason: undefined, received: 0 };
  });

  test("answers one message with one", async () => {
    expect((await client.say({ text: "you" })).text).toBe("hi you");
  });

  test("carries code and message of an error that was thrown on purpose", async () => {
    expect(await failureOf(client.say({ text: "missing" }))).toEqual(hasCode("not_found", /^no shard 7$/));
    expect(await failureOf(client.say({ text: "own class" }))).toEqual(hasCode("invalid_argument", /^bad header$/));
  });

  test("says nothing of a bug or a system error but that it is internal", async () => {
    expect(await failureOf(client.say({ text: "bug" }))).toEqual(hasCode("internal", /^internal error$/));
    expect(await failureOf(client.say({ text: "full disk" }))).toEqual(hasCode("internal", /^internal error$/));
  });

  test("fails with deadline_exceeded and tells the handler", async () => {
    expect(await failureOf(client.say({ text: "hang" }, { timeoutMs: 50 }))).toEqual(hasCode("deadline_exceeded"));
    await expect.poll(() => seen.reason).toEqual(hasCode("cancelled"));
  });

  test("fails at the deadline although the handler is deaf to it", async () => {
    expect(await failureOf(client.say({ text: "deaf" }, { timeoutMs: 50 }))).toEqual(hasCode("deadline_exceeded"));
  });

  test("fails with cancelled when the caller's signal aborts, before the call or during it", async () => {
    const aborter = new AbortController();
    const call = failureOf(client.say({ text: "hang" }, { signal: aborter.signal }));
    await expect.poll(() => seen.waiting).toBe(true);
    aborter.abort();
    expect(await call).toEqual(hasCode("cancelled"));
    await expect.poll(() => seen.reason).toEqual(hasCode("cancelled"));
    expect(await failureOf(client.say({ text: "x" }, { signal: aborter.signal }))).toEqual(hasCode("cancelled"));
  });

  test("streams responses in order and ends", async () => {
    const all = await collect(client.down({ count: 500 }));
    expect(all.map(({ index }) => index)).toEqual([...Array(500).keys()]);
    expect(seen.finished).toEqual(["down"]);
  });

  test("streams everything before the error that ends the responses", async () => {
    const indices: number[] = [];
    const read = async () => {
      for await (const { index } of client.down({ count: 3, text: "fail" })) indices.push(index);
    };
    expect(await failureOf(read())).toEqual(hasCode("aborted", /^lease lost$/));
    expect(indices).toEqual([0, 1, 2]);
  });

  test("ends a silent response stream when its signal aborts or its time is up", async () => {
    const aborter = new AbortController();
    const call = failureOf(collect(client.down({ count: 1, text: "silent" }, { signal: aborter.signal })));
    await expect.poll(() => seen.waiting).toBe(true);
    aborter.abort();
    expect(await call).toEqual(hasCode("cancelled"));
    const late = failureOf(collect(client.down({ count: 1, text: "silent" }, { timeoutMs: 30 })));
    expect(await late).toEqual(hasCode("deadline_exceeded"));
  });

  test("lets a slow reader hold the producer back, and cancels when the reader leaves", async () => {
    for await (const { index } of client.down({ count: 100_000, chunkBytes: 1024 * 1024 })) {
      if (index === 2) break;
      // The producer may run ahead only as far as buffers and windows allow: wait until it stands still.
      let before = -1;
      await expect
        .poll(
          () => {
            const still = seen.produced === before;
            before = seen.produced;
            return still;
          },
          { interval: 100 },
        )
        .toBe(true);
    }
    expect(seen.produced).toBeLessThan(64);
    await expect.poll(() => seen.finished).toEqual(["down"]);
  });

  test("starts a response stream only when it is read", async () => {
    client.down({ count: 1 });
    await client.say({ text: "later" });
    expect(seen.produced).toBe(0);
  });

  test("collects a request stream", async () => {
    expect((await client.up(numbers(100))).total).toBe(100_000n);
  });

  test("ends the request stream when the handler refuses midway", async () => {
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield* numbers(10);
      } finally {
        closed = true;
      }
    }
    expect(await failureOf(client.up(endless()))).toEqual(hasCode("resource_exhausted", /^too many$/));
    await expect.poll(() => closed).toBe(true);
  });

  test("fails with what the request stream threw, and the handler sees a caller that is gone", async () => {
    const broken = new AmalgamError("data_loss", "disk went away");
    async function* breaking() {
      yield* numbers(2);
      throw broken;
    }
    expect(await failureOf(client.up(breaking()))).toBe(broken);
    await expect.poll(() => seen.reason).toEqual(hasCode("cancelled"));
  });

  test("streams both ways at once, each answer before the next question", async () => {
    const asked: number[] = [];
    let answered: (() => void) | undefined;
    async function* questions() {
      for (let index = 0; index < 5; index++) {
        const answer = new Promise<void>((resolve) => {
          answered = resolve;
        });
        asked.push(index);
        yield { index };
        await answer;
      }
    }
    const answers: number[] = [];
    for await (const { index } of client.both(questions())) {
      answers.push(index);
      answered?.();
    }
    expect(answers).toEqual([0, 2, 4, 6, 8, 1000]);
    expect(asked).toEqual([0, 1, 2, 3, 4]);
  });

  test("ends when the handler ends first, although the request stream is silent", async () => {
    let returned = false;
    const requests: AsyncIterable<{ index: number }> = {
      [Symbol.asyncIterator]() {
        let sent = false;
        return {
          next() {
            if (sent) return new Promise(() => {});
            sent = true;
            return Promise.resolve({ done: false, value: { index: 99 } });
          },
          return() {
            returned = true;
            return Promise.resolve({ done: true, value: undefined });
          },
        };
      },
    };
    expect(await collect(client.both(requests))).toEqual([]);
    await expect.poll(() => returned).toBe(true);
  });

  test("tells a handler waiting for requests that its caller left", async () => {
    async function* silent() {
      yield { index: 1 };
      await new Promise(() => {});
    }
    for await (const { index } of client.both(silent())) {
      expect(index).toBe(2);
      break;
    }
    await expect.poll(() => seen.finished).toEqual(["both"]);
    await expect.poll(() => seen.reason).toEqual(hasCode("cancelled"));
  });

  test("serves many calls at once", async () => {
    const texts = Array.from({ length: 200 }, (_, index) => `call ${index}`);
    const answers = await Promise.all(texts.map((text) => client.say({ text })));
    expect(answers.map(({ text }) => text)).toEqual(texts.map((text) => `hi ${text}`));
  });

  test("answers unimplemented for a handler that is missing", async () => {
    const partial = {} as ServiceImpl<typeof ProbeService>;
    await using other = await serve({ address: "127.0.0.1:0", services: [bindService(ProbeService, partial)] });
    await using remote = createClient(ProbeService, other.address);
    const incomplete = transport === "in process" ? createLocalClient(ProbeService, partial) : remote;
    expect(await failureOf(incomplete.say({ text: "x" }))).toEqual(hasCode("unimplemented", /ProbeService has no Say/));
  });
});
