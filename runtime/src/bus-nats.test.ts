// What only a NATS server can do to the bus: be absent, refuse, die, forget. The contract is in bus.test.ts.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consume } from "./bus-consume.ts";
import { createNatsBus } from "./bus-nats.ts";
import { poll } from "./clock.ts";
import { createLogger } from "./log.ts";
import { findNatsServer, type NatsServer, startNatsServer } from "./nats-server.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
let shared: NatsServer;
beforeAll(async () => {
  shared = await startNatsServer();
});
afterAll(() => shared[Symbol.asyncDispose]());

describe("the nats bus", { concurrent: true }, () => {
  test("a server that is not there is one clear error after the time given", async () => {
    const startedAt = performance.now();
    const error = await createNatsBus({ url: "nats://user:secret@127.0.0.1:1", connectTimeoutMs: 400 }).catch((e) => e);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toMatch(/cannot reach NATS at nats:\/\/\*\*\*@127.0.0.1:1 within 400 ms .*nats-server -js/);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test("a port that accepts and says nothing is the same error", async () => {
    const mute = createServer(() => {}).listen(0, "127.0.0.1");
    await poll(() => mute.listening, { what: "the mute server", timeoutMs: 1_000 });
    const address = mute.address();
    const port = typeof address === "object" ? address?.port : 0;
    await expect(createNatsBus({ url: `nats://127.0.0.1:${port}`, connectTimeoutMs: 400 })).rejects.toMatchObject({
      code: "unavailable",
    });
    mute.close();
  });

  test("malformed settings are refused before anything is tried", async () => {
    await expect(createNatsBus({ url: "http://x" })).rejects.toThrow(/must look like nats:\/\/host:4222/);
    await expect(createNatsBus({ url: shared.url, prefix: "a.b" })).rejects.toThrow(/NATS prefix "a.b"/);
  });

  test("a bus that starts before its server waits for it", async () => {
    await using server = await startNatsServer();
    await server.kill();
    const bus = createNatsBus({ url: server.url, connectTimeoutMs: 10_000 });
    await server.restart();
    await using connected = await bus;
    expect(connected.connected).toBe(true);
  });

  test("user and password, or a token, are taken from the URL", async () => {
    await using withUser = await startNatsServer({ configuration: 'authorization { user: ann, password: "p@ss" }' });
    const { host } = new URL(withUser.url);
    await using _bus = await createNatsBus({ url: `nats://ann:p%40ss@${host}` });
    await expect(createNatsBus({ url: `nats://ann:wrong@${host}` })).rejects.toMatchObject({ code: "unauthenticated" });
    await using withToken = await startNatsServer({ configuration: "authorization { token: tok }" });
    await using _other = await createNatsBus({ url: `nats://tok@${new URL(withToken.url).host}` });
  });

  test("a server without JetStream is one clear error", async () => {
    await using server = await startNatsServer({
      configuration: "accounts { A { users: [{ user: a, password: b }] } }",
    });
    await expect(createNatsBus({ url: `nats://a:b@${new URL(server.url).host}` })).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(/start it with JetStream/),
    });
  });

  test("deployments with different prefixes share a server and see nothing of each other", async () => {
    await using one = await createNatsBus({ url: shared.url, prefix: "one" });
    await using two = await createNatsBus({ url: shared.url, prefix: "two" });
    await one.queue("scores").publish("job/a", bytes("a"));
    expect([await one.queue("scores").depth(), await two.queue("scores").depth()]).toEqual([1, 0]);
  });

  test("settings that changed are brought up to date, and what is stored stays", async () => {
    await using before = await createNatsBus({ url: shared.url, prefix: "settings" });
    await before.queue("scores").publish("job/a", bytes("a"));
    await using after = await createNatsBus({
      url: shared.url,
      prefix: "settings",
      ackWaitMs: 300,
      maxQueueBytes: 1e6,
    });
    const seen: number[] = [];
    for await (const delivery of after.queue("scores").pull({ signal: AbortSignal.timeout(5_000) })) {
      seen.push(delivery.deliveries);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([1, 2]);
  });

  test("a server killed again and again under load loses nothing, and everyone resumes", async () => {
    await using server = await startNatsServer();
    const metrics = new Registry();
    const lines: string[] = [];
    const log = createLogger({ role: "test", stream: { write: (line) => lines.push(line) } });
    await using publisher = await createNatsBus({ url: server.url, metrics, log });
    await using worker = await createNatsBus({ url: server.url, ackWaitMs: 2_000 });
    const total = 600;
    const stop = new AbortController();
    const handled = new Map<string, number>();
    const consumers = Array.from({ length: 3 }, () =>
      consume(
        worker.queue("evaluations"),
        async ({ id }) => {
          handled.set(id, (handled.get(id) ?? 0) + 1);
        },
        { signal: stop.signal },
      ),
    );
    let published = 0;
    const publish = async () => {
      while (published < total) await publisher.queue("evaluations").publish(`job/${published++}`, bytes("work"));
    };
    const publishing = Promise.all([publish(), publish(), publish()]);
    for (const at of [100, 250, 400]) {
      await poll(() => published >= at, { what: `message ${at}`, timeoutMs: 20_000 });
      await server.kill("SIGKILL");
      await poll(() => !publisher.connected, { what: "the loss to be noticed", timeoutMs: 5_000 });
      expect(await metrics.metrics()).toContain("amalgam_nats_connected 0");
      await server.restart();
    }
    await publishing;
    await poll(() => handled.size === total, { what: "every message", timeoutMs: 30_000 });
    // Server 2.9 keeps some acknowledged messages when it is killed (see bus-nats.ts).
    const isExact = !server.version.startsWith("2.9.");
    await poll(async () => !isExact || (await publisher.queue("evaluations").depth()) === 0, {
      what: "an empty queue",
      timeoutMs: 20_000,
    });
    stop.abort();
    await Promise.all(consumers);
    expect(publisher.connected).toBe(true);
    expect(lines.filter((line) => line.includes("NATS connection lost"))).toHaveLength(3);
    expect(lines.filter((line) => line.includes("NATS connection is back"))).toHaveLength(3);
  });

  test("a server that lost its disk gets its queues again, empty", async () => {
    const storeDirectory = await mkdtemp(join(tmpdir(), "amalgam-bus-"));
    await using server = await startNatsServer({ storeDirectory });
    await using bus = await createNatsBus({ url: server.url });
    const queue = bus.queue("evaluations");
    await queue.publish("job/a", bytes("lost"));
    const stop = new AbortController();
    const seen: string[] = [];
    const consuming = consume(
      queue,
      async ({ id }) => {
        seen.push(id);
      },
      { signal: stop.signal },
    );
    await poll(() => seen.length === 1, { what: "the first message", timeoutMs: 5_000 });
    await server.kill();
    await rm(join(storeDirectory, "jetstream"), { recursive: true });
    await server.restart();
    await queue.publish("job/a", bytes("again"));
    await poll(() => seen.length === 2, { what: "the message published again", timeoutMs: 20_000 });
    stop.abort();
    await consuming;
    await server.kill();
    await rm(storeDirectory, { recursive: true });
  });

  test("disposing a bus whose server is gone does not hang", async () => {
    await using server = await startNatsServer();
    const bus = await createNatsBus({ url: server.url });
    await server.kill();
    await poll(() => !bus.connected, { what: "the loss to be noticed", timeoutMs: 5_000 });
    const startedAt = performance.now();
    await bus[Symbol.asyncDispose]();
    await bus[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("a private server is found by name, dies on disposal and keeps a store that was given to it", async () => {
    expect(findNatsServer(process.env)?.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(findNatsServer({ PATH: "/nowhere" }, "/")).toBeUndefined();
    expect(() => findNatsServer({ AMALGAM_NATS_SERVER: "/bin/false" })).toThrow(/AMALGAM_NATS_SERVER=\/bin\/false/);
    await expect(startNatsServer({ configuration: "nonsense {" })).rejects.toMatchObject({ code: "unavailable" });
    const server = await startNatsServer();
    const bus = await createNatsBus({ url: server.url });
    await server[Symbol.asyncDispose]();
    await bus[Symbol.asyncDispose]();
    await expect(createNatsBus({ url: server.url, connectTimeoutMs: 200 })).rejects.toMatchObject({
      code: "unavailable",
    });
  });
});
