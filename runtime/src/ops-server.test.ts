import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { collectProcessMetrics, Registry } from "./metrics.ts";
import { serveOps } from "./ops-server.ts";

const get = async (address: string, path: string) => {
  const response = await fetch(`http://${address}${path}`);
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
};

test("metrics, liveness and readiness are served, and nothing else", async () => {
  const registry = new Registry();
  using _metrics = collectProcessMetrics({ registry, role: "worker", version: "1.2.3" });
  let reasons: readonly string[] = ["NATS is not connected", "no lease yet"];
  await using ops = await serveOps({ port: 0, registry, ready: () => reasons });
  expect(await get(ops.address, "/healthz")).toMatchObject({ status: 200, text: "ok\n" });
  expect(await get(ops.address, "/readyz")).toMatchObject({
    status: 503,
    text: "NATS is not connected\nno lease yet\n",
  });
  reasons = [];
  expect(await get(ops.address, "/readyz?verbose")).toMatchObject({ status: 200 });
  const metrics = await get(ops.address, "/metrics");
  expect(metrics.type).toMatch(/^text\/plain; version=0.0.4/);
  expect(metrics.text).toMatch(/amalgam_build_info\{role="worker",version="1.2.3",node="24[^"]*"\} 1/);
  expect(await get(ops.address, "/secret")).toMatchObject({ status: 404 });
  expect((await fetch(`http://${ops.address}/metrics`, { method: "POST" })).status).toBe(405);
});

test("metric names follow the naming practices of Prometheus", async () => {
  const registry = new Registry();
  using _metrics = collectProcessMetrics({ registry, role: "worker", version: "1" });
  for (const { name, type, help } of await registry.getMetricsAsJSON()) {
    expect(name).toMatch(/^(amalgam|process)_[a-z0-9_]+$/);
    expect(name).toMatch(/_(seconds|bytes|info|total|fds)(_total)?$/);
    expect(name.endsWith("_total")).toBe(String(type) === "counter");
    expect(help).toMatch(/\.$/);
  }
});

test("process metrics hold sensible values at every scrape", async () => {
  const registry = new Registry();
  using _metrics = collectProcessMetrics({ registry, role: "worker", version: "1" });
  const value = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value ?? Number.NaN;
  const cpuSeconds = await value("process_cpu_seconds_total");
  expect(await value("process_cpu_seconds_total")).toBeGreaterThanOrEqual(cpuSeconds);
  expect(await value("process_resident_memory_bytes")).toBeGreaterThan(10e6);
  expect(Math.abs((await value("process_start_time_seconds")) - Date.now() / 1000)).toBeLessThan(3_600);
  const lagAfterBlocking = async () => {
    const blockedUntil = performance.now() + 100;
    while (performance.now() < blockedUntil);
    // The sampling timer notes the delay when the loop comes round to it: in the next turn, which reads the time afresh.
    await setImmediate();
    await setImmediate();
    return value("amalgam_event_loop_lag_p99_seconds");
  };
  await expect.poll(lagAfterBlocking).toBeGreaterThan(0.05);
});

test("a port that is taken is one clear error", async () => {
  const registry = new Registry();
  await using ops = await serveOps({ port: 0, registry, ready: () => true });
  await expect(serveOps({ port: ops.port, registry, ready: () => true })).rejects.toMatchObject({
    code: "failed_precondition",
    message: expect.stringContaining(`cannot serve metrics on 127.0.0.1:${ops.port}`),
  });
});

test("disposing closes connections that are kept alive, and may happen twice", async () => {
  const ops = await serveOps({ port: 0, registry: new Registry(), ready: () => true });
  await get(ops.address, "/healthz");
  await ops[Symbol.asyncDispose]();
  await ops[Symbol.asyncDispose]();
  await expect(get(ops.address, "/healthz")).rejects.toThrow();
});
