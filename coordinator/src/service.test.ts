import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoordinatorService, ShardService, type WorkRequestSchema, type WorkResponse } from "@amalgam/proto";
import {
  bindService,
  createChannel,
  createClient,
  createClientPool,
  createLocalClient,
  createLogger,
  createMemoryBus,
  Registry,
  serve,
} from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, expect, test } from "vitest";
import { createCoordinator } from "./engine/coordinator.ts";
import { createCoordinatorService } from "./service.ts";

const root = mkdtempSync(join(tmpdir(), "amalgam-service-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const DEADLINE_MS = 10_000;
const log = createLogger({ role: "test", level: "silent" });

async function start(transport: "local" | "gRPC") {
  const stack = new AsyncDisposableStack();
  const coordinator = stack.use(
    createCoordinator({
      stateDirectory: mkdtempSync(join(root, "state-")),
      bus: stack.use(createMemoryBus()),
      shardClients: createClientPool(ShardService),
      address: "local:coordinator",
      log,
      registry: new Registry(),
      leaseMs: 400,
    }),
  );
  const service = createCoordinatorService(() => coordinator);
  if (transport === "local") {
    return { stack, client: createLocalClient(CoordinatorService, service) };
  }
  const services = [bindService(CoordinatorService, service)];
  const server = stack.use(await serve({ address: "127.0.0.1:0", services }));
  return { stack, client: stack.use(createClient(CoordinatorService, server.address)) };
}

type Client = Awaited<ReturnType<typeof start>>["client"];

/** A worker that says hello and nothing more, its side of the stream left open. Resolves when the coordinator ends its own. */
async function connect(client: Client, workerId: string): Promise<WorkResponse[]> {
  const outbox = createChannel<MessageInitShape<typeof WorkRequestSchema>>();
  outbox.push({ message: { case: "hello", value: { workerId, address: `local:${workerId}`, slots: 1 } } });
  const responses: WorkResponse[] = [];
  for await (const response of client.work(outbox, { signal: AbortSignal.timeout(DEADLINE_MS) })) {
    responses.push(response);
  }
  return responses;
}

test.for(["local", "gRPC"] as const)(
  "a worker that was given up is told by the end of its session, and may come again, %s",
  async (transport) => {
    const { stack, client } = await start(transport);
    await using _ = stack;
    for (let session = 0; session < 2; session++) {
      const responses = await connect(client, "silent");
      expect(responses.map(({ message }) => message.case)).toEqual(["welcome"]);
    }
  },
);

test.for(["local", "gRPC"] as const)("a second session of a worker ends the first, %s", async (transport) => {
  const { stack, client } = await start(transport);
  await using _ = stack;
  const first = connect(client, "twin");
  const second = connect(client, "twin");
  expect(await Promise.all([first, second])).toHaveLength(2);
});

test.for(["local", "gRPC"] as const)("a session that does not begin with a hello is refused, %s", async (transport) => {
  const { stack, client } = await start(transport);
  await using _ = stack;
  const outbox = createChannel<MessageInitShape<typeof WorkRequestSchema>>();
  outbox.push({ message: { case: "leaving", value: {} } });
  const responses = client.work(outbox, { signal: AbortSignal.timeout(DEADLINE_MS) });
  const read = async (): Promise<void> => {
    for await (const response of responses) expect(response).toBeUndefined();
  };
  await expect(read()).rejects.toMatchObject({ code: "failed_precondition" });
});
