// For tests: the coordinator's side of the wire, driven by hand. It leases what a test asks for, keeps what workers say and
// serves input bytes; it plans and decides nothing.
import { randomUUID } from "node:crypto";
import { openSync, readSync } from "node:fs";
import {
  CoordinatorService,
  type Hello,
  type LeaseSchema,
  type WorkRequest,
  type WorkResponseSchema,
} from "@amalgam/proto";
import {
  AmalgamError,
  bindService,
  type Channel,
  type Client,
  createChannel,
  createClient,
  createLocalClient,
  type ServiceImpl,
  serve,
} from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TestJob } from "./job.ts";

type Report = WorkRequest["message"];
type Response = MessageInitShape<typeof WorkResponseSchema>;
export type LeaseInit = Omit<MessageInitShape<typeof LeaseSchema>, "$typeName" | "$unknown">;

export interface TestCoordinator extends AsyncDisposable {
  /** Hellos in the order of the sessions. */
  readonly hellos: readonly Hello[];
  /** The last heartbeat's leases. */
  readonly heartbeats: readonly (readonly string[])[];
  readonly leaving: boolean;
  readonly connected: boolean;
  /** Bytes served by ReadInput. */
  readonly streamedBytes: number;
  readonly client: Client<typeof CoordinatorService>;
  /** "host:port" over gRPC, empty in process. */
  readonly address: string;
  /** Leases a task and resolves to what the worker reports about it. */
  lease(lease: LeaseInit): Promise<Report>;
  send(message: NonNullable<Response["message"]>): void;
  /** Ends the open session with an error and takes the next one under a new epoch. */
  breakSession(): void;
}

const HEARTBEAT_MS = 50;

/** @param transport in process, or over a real gRPC server on a free port */
export async function startCoordinator(job: TestJob, transport: "local" | "grpc"): Promise<TestCoordinator> {
  const hellos: Hello[] = [];
  const heartbeats: string[][] = [];
  const open = new Map<string, PromiseWithResolvers<Report>>();
  let session: Channel<Response> | undefined;
  let epoch = 1n;
  let leaving = false;
  let streamedBytes = 0;

  const hear = ({ message }: WorkRequest): void => {
    if (message.case === "hello") hellos.push(message.value);
    else if (message.case === "heartbeat") heartbeats.push(message.value.leaseIds);
    else if (message.case === "leaving") leaving = true;
    else if (message.case !== undefined) open.get(message.value.leaseId)?.resolve(message);
  };
  const unused = (): never => {
    throw new AmalgamError("unimplemented", "not part of this test");
  };
  const impl: ServiceImpl<typeof CoordinatorService> = {
    submitJob: unused,
    getJob: unused,
    listJobs: unused,
    watchJob: unused,
    cancelJob: unused,
    getStudy: unused,
    getEvaluationSpec: unused,
    async *work(requests) {
      const responses = createChannel<Response>();
      session = responses;
      responses.push({ message: { case: "welcome", value: { epoch, leaseMs: 1000, heartbeatMs: HEARTBEAT_MS } } });
      const listening = (async () => {
        for await (const request of requests) hear(request);
      })().then(
        () => responses.close(),
        () => responses.close(),
      );
      yield* responses;
      await listening;
    },
    async *readInput({ file, offset, length }) {
      const fd = openSync(job.files[file]!.path!, "r");
      // Odd pieces, so that ranges begin and end inside of them.
      for (let done = 0; done < Number(length); ) {
        const data = Buffer.alloc(Math.min(100_001, Number(length) - done));
        readSync(fd, data, 0, data.length, Number(offset) + done);
        done += data.length;
        streamedBytes += data.length;
        yield { data };
      }
    },
  };
  const server =
    transport === "grpc"
      ? await serve({ address: "127.0.0.1:0", services: [bindService(CoordinatorService, impl)], graceMs: 100 })
      : undefined;
  const remote = server && createClient(CoordinatorService, server.address);
  const client = remote ?? createLocalClient(CoordinatorService, impl);
  const send = (message: NonNullable<Response["message"]>): void => {
    if (session === undefined) throw new Error("no worker is connected");
    session.push({ message });
  };
  return {
    hellos,
    heartbeats,
    client,
    address: server?.address ?? "",
    get leaving() {
      return leaving;
    },
    get connected() {
      return session !== undefined;
    },
    get streamedBytes() {
      return streamedBytes;
    },
    lease(lease) {
      const leaseId = randomUUID();
      const answer = Promise.withResolvers<Report>();
      open.set(leaseId, answer);
      send({ case: "lease", value: { leaseId, epoch, attempt: 1, jobId: "job", files: job.files, ...lease } });
      return answer.promise;
    },
    send,
    breakSession() {
      epoch++;
      session?.close(new AmalgamError("unavailable", "the coordinator restarts"));
      session = undefined;
    },
    async [Symbol.asyncDispose]() {
      session?.close();
      await remote?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    },
  };
}
