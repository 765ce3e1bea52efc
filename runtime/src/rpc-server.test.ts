// What only the network can do to a call: lost peers, size limits, retries, draining. The contract is in rpc.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { AmalgamError } from "./errors.ts";
import { ProbeService } from "./gen/probe/v1/probe_pb.ts";
import { createLogger } from "./log.ts";
import { isLoopback, joinAddress, parseAddress } from "./rpc-address.ts";
import { createClient } from "./rpc-client.ts";
import { createClientPool } from "./rpc-pool.ts";
import { type ServeOptions, serve } from "./rpc-server.ts";
import { bindService, CHUNK_BYTES, MAX_RECEIVE_BYTES, type ServiceImpl } from "./rpc-wire.ts";

const nothing: ServiceImpl<typeof ProbeService> = {
  say: async () => ({}),
  async *down() {},
  up: async () => ({}),
  async *both() {},
};
const start = (impl: Partial<ServiceImpl<typeof ProbeService>>, options: Partial<ServeOptions> = {}) =>
  serve({
    address: "127.0.0.1:0",
    services: [bindService(ProbeService, { ...nothing, ...impl })],
    graceMs: 0,
    ...options,
  });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (error: unknown) => (error instanceof AmalgamError ? error.code : String(error)),
  );
async function drainAll(messages: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of messages) count++;
  return count;
}

test("a peer that is not there is unavailable", async () => {
  await using client = createClient(ProbeService, "127.0.0.1:1");
  expect(await codeOf(client.say({}))).toBe("unavailable");
  expect(await codeOf(drainAll(client.down({})))).toBe("unavailable");
});

test("a client finds a server again that comes back on the same port", async () => {
  const first = await start({});
  await using client = createClient(ProbeService, first.address);
  expect(await codeOf(client.say({}))).toBe("ok");
  await first[Symbol.asyncDispose]();
  expect(await codeOf(client.say({}))).toBe("unavailable");
  await using _second = await start({}, { address: first.address });
  await expect.poll(() => codeOf(client.say({})), { timeout: 10_000 }).toBe("ok");
});

test("unary calls are retried while the peer says unavailable, other failures are not", async () => {
  let calls = 0;
  await using server = await start({
    async say({ text }) {
      calls++;
      if (text === "busy" && calls < 3) throw new AmalgamError("unavailable", "busy");
      if (text === "refused") throw new AmalgamError("failed_precondition", "no");
      return { text: "done" };
    },
  });
  await using client = createClient(ProbeService, server.address);
  expect((await client.say({ text: "busy" })).text).toBe("done");
  expect(calls).toBe(3);
  expect(await codeOf(client.say({ text: "refused" }))).toBe("failed_precondition");
  expect(calls).toBe(4);
});

test("a message over the limit ends the call with resource_exhausted, one below it passes", async () => {
  await using server = await start({
    async *down({ chunkBytes }) {
      yield { data: new Uint8Array(chunkBytes) };
    },
  });
  await using client = createClient(ProbeService, server.address);
  expect(await codeOf(drainAll(client.down({ chunkBytes: MAX_RECEIVE_BYTES })))).toBe("resource_exhausted");
  expect(await drainAll(client.down({ chunkBytes: MAX_RECEIVE_BYTES - 16 }))).toBe(1);
});

test("a server that dies in the middle of a stream ends it with unavailable, within a second", async () => {
  const child = spawnServer();
  const address = await addressOf(child);
  await using client = createClient(ProbeService, address);
  let received = 0;
  const read = async () => {
    for await (const _ of client.down({ count: 1_000_000, chunkBytes: 1024 })) {
      if (++received === 10) child.kill("SIGKILL");
    }
  };
  const killedAt = performance.now();
  expect(await codeOf(read())).toBe("unavailable");
  expect(received).toBeGreaterThanOrEqual(10);
  expect(performance.now() - killedAt).toBeLessThan(2_000);
});

test("a handler learns that its caller's connection was cut", async () => {
  let reason: unknown;
  await using server = await start({
    async *both(requests, { signal }) {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      for await (const { index } of requests) yield { index };
    },
  });
  await using proxy = await tcpProxy(server.port);
  await using client = createClient(ProbeService, proxy.address);
  async function* forever() {
    yield { index: 7 };
    await new Promise(() => {});
  }
  const read = async () => {
    for await (const { index } of client.both(forever())) {
      expect(index).toBe(7);
      proxy.cut();
    }
  };
  expect(await codeOf(read())).toBe("unavailable");
  await expect.poll(() => reason).toMatchObject({ code: "cancelled" });
});

test("bulk downloads keep memory bounded however slow the reader", async () => {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let produced = 0;
  await using server = await start({
    async *down({ count }) {
      for (let index = 0; index < count; index++) {
        produced++;
        yield { index, data: chunk };
      }
    },
  });
  await using client = createClient(ProbeService, server.address);
  let received = 0;
  let furthestAhead = 0;
  const producerStandsStill = () => {
    let before = -1;
    const isStill = () => {
      const still = produced === before;
      before = produced;
      return still;
    };
    return expect.poll(isStill, { interval: 20 }).toBe(true);
  };
  for await (const _ of client.down({ count: 400 })) {
    received++;
    if (received % 50 === 0) await producerStandsStill();
    furthestAhead = Math.max(furthestAhead, produced - received);
  }
  expect(received).toBe(400);
  // 16 messages in each stream's object buffer and 16 MiB of HTTP/2 window.
  expect(furthestAhead).toBeLessThan(80);
});

test("disposing a server lets calls under way finish within the grace, and refuses new ones", async () => {
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let started = false;
  const server = await start(
    {
      async say() {
        started = true;
        await held;
        return { text: "finished" };
      },
    },
    { graceMs: 10_000 },
  );
  await using client = createClient(ProbeService, server.address);
  const call = client.say({});
  await expect.poll(() => started).toBe(true);
  const disposed = server[Symbol.asyncDispose]();
  expect(server[Symbol.asyncDispose]()).toBe(disposed);
  await using late = createClient(ProbeService, server.address);
  expect(await codeOf(late.say({}, { timeoutMs: 2_000 }))).not.toBe("ok");
  release?.();
  expect((await call).text).toBe("finished");
  await disposed;
});

test("disposing a server cuts off calls that outlast the grace, and their handlers learn of it", async () => {
  let state = "";
  const server = await start(
    {
      async *down(_, { signal }) {
        yield { index: 0 };
        state = "started";
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        state = "stopped";
      },
    },
    { graceMs: 50 },
  );
  await using client = createClient(ProbeService, server.address);
  const call = codeOf(drainAll(client.down({})));
  await expect.poll(() => state).toBe("started");
  const startedAt = performance.now();
  await server[Symbol.asyncDispose]();
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(["unavailable", "cancelled"]).toContain(await call);
  await expect.poll(() => state).toBe("stopped");
});

test("disposing a client lets its calls under way finish", async () => {
  let release: (() => void) | undefined;
  await using server = await start({
    async *down() {
      yield { index: 1 };
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield { index: 2 };
    },
  });
  const client = createClient(ProbeService, server.address);
  const indices: number[] = [];
  for await (const { index } of client.down({})) {
    indices.push(index);
    if (index === 1) {
      await client[Symbol.asyncDispose]();
      await expect.poll(() => release).toBeDefined();
      release?.();
    }
  }
  expect(indices).toEqual([1, 2]);
});

test("serving beyond loopback needs a word that it is wanted", async () => {
  await expect(start({}, { address: "0.0.0.0:0" })).rejects.toThrow(
    /refusing to serve gRPC on 0\.0\.0\.0:0 without TLS/,
  );
  await using server = await start({}, { address: "0.0.0.0:0", insecure: true });
  await using client = createClient(ProbeService, `127.0.0.1:${server.port}`);
  expect(await codeOf(client.say({}))).toBe("ok");
});

test("a port that is taken is one clear error", async () => {
  await using server = await start({});
  await expect(start({}, { address: server.address })).rejects.toMatchObject({
    code: "failed_precondition",
    message: expect.stringContaining(`cannot listen on ${server.address}`),
  });
});

test("calls are counted by outcome, and a bug's cause is logged and not sent", async () => {
  const metrics = new Registry();
  const lines: string[] = [];
  const log = createLogger({ role: "test", stream: { write: (line) => lines.push(line) } });
  await using server = await start(
    {
      async say({ text }) {
        if (text === "bug") throw new TypeError("cannot read x");
        return {};
      },
    },
    { metrics, log },
  );
  await using client = createClient(ProbeService, server.address);
  await client.say({});
  expect(await codeOf(client.say({ text: "bug" }))).toBe("internal");
  const text = await metrics.metrics();
  expect(text).toContain('amalgam_rpc_calls_total{service="probe.v1.ProbeService",method="Say",code="ok"} 1');
  expect(text).toContain('amalgam_rpc_calls_total{service="probe.v1.ProbeService",method="Say",code="internal"} 1');
  expect(text).toContain('amalgam_rpc_calls_in_progress{service="probe.v1.ProbeService",method="Say"} 0');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "error", err: { message: "cannot read x" } });
});

test("a pool gives one client per address, and the local service for a local address", async () => {
  await using server = await start({ say: async () => ({ text: "remote" }) });
  const local = new Map([["local:w1", { ...nothing, say: async () => ({ text: "local" }) }]]);
  const pool = createClientPool(ProbeService, { local });
  expect((await pool.get(server.address).say({})).text).toBe("remote");
  expect(pool.get(server.address)).toBe(pool.get(server.address));
  expect((await pool.get("local:w1").say({})).text).toBe("local");
  expect(() => pool.get("local:w2")).toThrow(/local:w2 does not serve probe.v1.ProbeService/);
  await pool[Symbol.asyncDispose]();
  expect(() => pool.get(server.address)).toThrow(/closed/);
});

test("addresses are host and port, IPv6 in brackets", () => {
  expect(parseAddress("worker-0.workers:7071")).toEqual({ host: "worker-0.workers", port: 7071 });
  expect(parseAddress("[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(joinAddress("::1", 7070)).toBe("[::1]:7070");
  for (const bad of ["localhost", ":1", "a:b", "a:65536", "::1:5", "[nonsense]:1", "http://a:1", "a:1/x"])
    expect(() => parseAddress(bad)).toThrow(/must be host:port/);
  expect(["127.0.0.1", "127.8.9.1", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org"].some(isLoopback)).toBe(false);
});

/** A TCP proxy whose connections can be cut without a goodbye. */
async function tcpProxy(port: number) {
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far).pipe(near);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const bound = proxy.address();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      proxy.close();
    },
  };
}

/** A probe server in a process of its own that streams without end. */
function spawnServer(): ChildProcess {
  const source = `
    import { ProbeService } from "./gen/probe/v1/probe_pb.ts";
    import { bindService } from "./rpc-wire.ts";
    import { serve } from "./rpc-server.ts";
    const probe = bindService(ProbeService, { async *down({ count, chunkBytes }) {
      for (let index = 0; index < count; index++) yield { index, data: new Uint8Array(chunkBytes) };
    } });
    const { address } = await serve({ address: "127.0.0.1:0", services: [probe] });
    process.stdout.write(address);
  `;
  return spawn(process.execPath, ["--input-type=module", "--eval", source], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function addressOf(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return chunk.toString();
}
