/** A fleet with a clock that tests turn, and workers that tests speak for. */
import { HelloSchema, type Lease, LeaseSchema, type WorkRequest } from "@amalgam/proto";
import { type AmalgamError, createLogger } from "@amalgam/runtime";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createFleet, type Fleet, type FleetOptions, type ShardTask, type TaskResult } from "../fleet.ts";

export const LEASE_MS = 1000;

export interface TestFleet {
  readonly fleet: Fleet;
  /** Milliseconds; tests add to it. */
  readonly clock: { now: number };
  readonly attempts: Record<"done" | "failed" | "lost" | "stale", number>;
  readonly changes: { count: number };
}

export function createTestFleet(options: Partial<FleetOptions> = {}): TestFleet {
  const clock = { now: 0 };
  const attempts = { done: 0, failed: 0, lost: 0, stale: 0 };
  const changes = { count: 0 };
  const fleet = createFleet({
    epoch: 3,
    leaseMs: LEASE_MS,
    maxAttempts: 3,
    log: createLogger({ role: "test", level: "silent" }),
    now: () => clock.now,
    isOpen: () => true,
    changed: () => void changes.count++,
    attempt: (outcome) => void attempts[outcome]++,
    ...options,
  });
  return { fleet, clock, attempts, changes };
}

/** Lets the fleet give out its leases. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface TestTask extends ShardTask {
  readonly results: readonly TaskResult[];
  readonly errors: readonly AmalgamError[];
}

export function testTask(
  shard: number,
  { jobId = "job", candidateId = "t0", keepInputs = true, kind = "m", inputBytes = 100, backend = "wasm" } = {},
): TestTask {
  const results: TaskResult[] = [];
  const errors: AmalgamError[] = [];
  return {
    key: `${jobId}/${candidateId}/${kind}/${shard}`,
    jobId,
    shard,
    candidateId,
    inputBytes,
    backend,
    lease: () => ({ jobId, shard: { index: shard }, candidate: { id: candidateId }, keepInputs }),
    done: (result) => void results.push(result),
    failed: (error) => void errors.push(error),
    results,
    errors,
  };
}

export type Answer = Exclude<WorkRequest["message"], { case: undefined }>;

export interface TestWorker {
  /** Leases in the order of their arrival. */
  readonly leases: readonly Lease[];
  /** Everything else that was sent: welcome, drop, forget. */
  readonly messages: readonly { readonly case: string | undefined; readonly value?: unknown }[];
  readonly ended: boolean;
  say(message: Answer): void;
  /** Answers a lease with a merged shard. */
  merged(lease: Lease): void;
  close(): void;
}

export function connectTestWorker(
  fleet: Fleet,
  workerId: string,
  hello: Omit<MessageInitShape<typeof HelloSchema>, "$typeName" | "$unknown"> = {},
): TestWorker {
  const leases: Lease[] = [];
  const messages: TestWorker["messages"][number][] = [];
  let ended = false;
  const session = fleet.connect(
    create(HelloSchema, { workerId, address: `local:${workerId}`, slots: 2, backend: "wasm", ...hello }),
    ({ message }) => {
      if (message?.case === "lease") leases.push(create(LeaseSchema, message.value));
      else if (message !== undefined) messages.push(message);
    },
    () => {
      ended = true;
    },
  );
  return {
    leases,
    messages,
    get ended() {
      return ended;
    },
    say: (message) => session.receive(message),
    merged: (lease) => session.receive(mergeDone(lease)),
    close: () => session.close(),
  };
}

/** The answer to a lease; the digest says which shard was merged by which attempt. */
export const mergeDone = ({ leaseId, shard, candidate }: Lease): Answer => ({
  case: "mergeDone",
  value: {
    $typeName: "amalgam.v1.MergeDone",
    leaseId,
    sha256: `${candidate?.id}/${shard?.index}`,
    byteLength: 10n,
    segmentSha256: [],
  },
});

export const leaseFailed = ({ leaseId }: Lease, code: string, lost: string[] = []): Answer => ({
  case: "leaseFailed",
  value: { $typeName: "amalgam.v1.LeaseFailed", leaseId, code, message: `it said ${code}`, lost },
});

export const heartbeat = (...leases: readonly Lease[]): Answer => ({
  case: "heartbeat",
  value: { $typeName: "amalgam.v1.Heartbeat", leaseIds: leases.map(({ leaseId }) => leaseId) },
});

export const LEAVING: Answer = { case: "leaving", value: { $typeName: "amalgam.v1.Leaving" } };
