// The worker as a process would run it: its own gRPC server, its own channel to the coordinator, its HTTP side door.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardService } from "@amalgam/proto";
import { createClient, createLogger, poll } from "@amalgam/runtime";
import { expect, test } from "vitest";
import { runShardWorkerProcess } from "./main.ts";
import { startCoordinator } from "./testing/coordinator.ts";
import { makeJob, randomTensor } from "./testing/job.ts";
import { expectReport, leaseOn } from "./testing/merge.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("a worker process serves what it merged over gRPC, says when it is ready, and drains", async () => {
  const directory = mkdtempSync(join(tmpdir(), "amalgam-worker-process-"));
  const slots = [1, 2].map((slot) => [randomTensor("w", [700, 500], slot)]);
  const job = makeJob({ directory, slots });
  await using coordinator = await startCoordinator(job, "grpc");
  const ops = `127.0.0.1:${await freePort()}`;
  const stop = new AbortController();
  const log = createLogger({ role: "worker", level: "silent" });
  const config = {
    id: "worker-1",
    coordinatorAddress: coordinator.address,
    listen: "127.0.0.1:0",
    advertise: undefined,
    threads: 1,
    memoryBytes: 64 * 1024 * 1024,
    storage: "auto" as const,
    backend: "wasm",
    ops,
    insecure: false,
  };
  const addresses: string[] = [];
  const ended = runShardWorkerProcess(config, log, stop.signal, (address) => addresses.push(address));
  await poll(async () => (await fetch(`http://${ops}/readyz`)).ok, { what: "readiness", timeoutMs: 10_000 });
  expect(coordinator.hellos[0]).toMatchObject({ workerId: "worker-1", address: addresses[0], slots: 3 });

  const scalars = { "weight[0]": 1, "weight[1]": 1 };
  const what = leaseOn(job, 0, { method: "linear", models: 2, hasBase: false, options: {}, scalars });
  const { sha256 } = await expectReport(
    coordinator.lease({ ...what, task: { case: "merge", value: {} } }),
    "mergeDone",
  );
  await using client = createClient(ShardService, addresses[0]!);
  const digest = createHash("sha256");
  for await (const { data } of client.fetchShard({ jobId: "job", shard: 0, sha256 })) digest.update(data);
  expect(digest.digest("hex")).toBe(sha256);

  const text = await (await fetch(`http://${ops}/metrics`)).text();
  expect(text).toContain('amalgam_shard_worker_attempts_total{task="merge",outcome="done"} 1');
  expect(text).toContain("amalgam_build_info");
  stop.abort();
  await ended;
  expect(coordinator.leaving).toBe(true);
  rmSync(directory, { recursive: true });
});
