// The shard workers and what they are leased: sessions, leases with deadlines, retries, and who holds which merged shard.
// Volatile by design: after a restart workers connect again, say what they hold, and tasks are submitted anew.
import type { LeaseSchema, Welcome, WorkRequest, WorkResponseSchema } from "@amalgam/proto";
import { AmalgamError, type ErrorCode, isRetryable, type Logger } from "@amalgam/runtime";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { assign } from "./assign.ts";

type LeaseInit = Exclude<MessageInitShape<typeof LeaseSchema>, { $typeName: string }>;
type WorkResponseInit = MessageInitShape<typeof WorkResponseSchema>;
type WorkerMessage = WorkRequest["message"];
export type TaskResult = Extract<WorkerMessage, { case: "statisticDone" | "mergeDone" | "writeDone" }>;

/** One task on one shard. `done` or `failed` is called once, unless the task is cancelled first. */
export interface ShardTask {
  readonly key: string;
  readonly jobId: string;
  readonly shard: number;
  readonly candidateId: string;
  readonly inputBytes: number;
  /** Everything of the lease but its identity. Built when the lease is given, so that waiting tasks cost nothing. */
  lease(): Omit<LeaseInit, "leaseId" | "epoch" | "attempt">;
  done(result: TaskResult, address: string): void;
  failed(error: AmalgamError): void;
}

export interface Held {
  readonly workerId: string;
  readonly address: string;
  readonly sha256: string;
  readonly byteLength: number;
}

export interface FleetOptions {
  readonly epoch: number;
  /** A lease ends when its worker has been silent for this long. */
  readonly leaseMs: number;
  /** Attempts on one task before the job fails with the last reason. */
  readonly maxAttempts: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  /** Called after any change of workers or tasks. */
  changed(): void;
  attempt(outcome: "done" | "failed" | "lost" | "stale"): void;
}

interface Worker {
  readonly workerId: string;
  readonly address: string;
  readonly slots: number;
  readonly send: (message: WorkResponseInit) => void;
  readonly end: () => void;
  readonly leases: Set<string>;
  bytes: number;
  seenMs: number;
  leaving: boolean;
}

interface Lease {
  readonly leaseId: string;
  readonly task: ShardTask;
  readonly worker: Worker;
}

export interface WorkerSession {
  receive(message: WorkerMessage): void;
  close(): void;
}

export interface Fleet {
  submit(task: ShardTask): void;
  /** Forgets waiting and leased tasks whose key begins with `prefix`; late results for them are ignored. */
  cancel(prefix: string): void;
  held(jobId: string, candidateId: string, shard: number): Held | undefined;
  /** The holder could not deliver: the shard must be merged again. */
  lost(jobId: string, candidateId: string, shard: number): void;
  drop(jobId: string, candidateIds: readonly string[]): void;
  forget(jobId: string): void;
  connect(
    hello: Extract<WorkerMessage, { case: "hello" }>["value"],
    send: (message: WorkResponseInit) => void,
    end: () => void,
  ): WorkerSession;
  /** Ends the sessions of workers that have been silent for leaseMs. */
  tick(): void;
  readonly workers: number;
  readonly slots: { readonly used: number; readonly total: number };
}

const heldKey = (jobId: string, candidateId: string, shard: number): string => `${jobId}/${candidateId}/${shard}`;
const homeOf = (task: ShardTask): string => `${task.jobId}/${task.shard}`;

export function createFleet(options: FleetOptions): Fleet {
  const { epoch, log } = options;
  const workers = new Map<string, Worker>();
  const waiting = new Map<string, ShardTask>();
  const leases = new Map<string, Lease>();
  const leaseOfTask = new Map<string, string>();
  const attempts = new Map<string, number>();
  const owners = new Map<string, string>();
  const held = new Map<string, Held>();
  let leaseCount = 0;
  let leasing = false;

  /** Gives out leases once the current burst of messages is handled, so that one pass serves them all. */
  const leaseSoon = (): void => {
    if (leasing) return;
    leasing = true;
    queueMicrotask(() => {
      leasing = false;
      const tasks = [...waiting.values()].map((task) => ({
        key: task.key,
        home: homeOf(task),
        bytes: task.inputBytes,
      }));
      const loads = [...workers.values()].map(({ workerId, bytes, slots, leases: own, leaving }) => {
        return { workerId, bytes, free: leaving ? 0 : Math.max(0, slots - own.size) };
      });
      for (const { key, workerId } of assign(tasks, loads, owners)) give(waiting.get(key)!, workers.get(workerId)!);
      options.changed();
    });
  };

  const give = (task: ShardTask, worker: Worker): void => {
    const leaseId = `${epoch}.${++leaseCount}`;
    const attempt = (attempts.get(task.key) ?? 0) + 1;
    attempts.set(task.key, attempt);
    waiting.delete(task.key);
    leases.set(leaseId, { leaseId, task, worker });
    leaseOfTask.set(task.key, leaseId);
    worker.leases.add(leaseId);
    const body = task.lease();
    if (body.keepInputs && owners.get(homeOf(task)) !== worker.workerId) {
      owners.set(homeOf(task), worker.workerId);
      worker.bytes += task.inputBytes;
    }
    worker.send({ message: { case: "lease", value: { ...body, leaseId, epoch: BigInt(epoch), attempt } } });
  };

  const endLease = (lease: Lease): void => {
    leases.delete(lease.leaseId);
    if (leaseOfTask.get(lease.task.key) === lease.leaseId) leaseOfTask.delete(lease.task.key);
    lease.worker.leases.delete(lease.leaseId);
  };

  const retry = (lease: Lease, error: AmalgamError): void => {
    const { task } = lease;
    const count = attempts.get(task.key) ?? 0;
    if (count >= options.maxAttempts) {
      attempts.delete(task.key);
      task.failed(new AmalgamError(error.code, `${error.message} (shard ${task.shard} was tried ${count} times)`));
      return;
    }
    waiting.set(task.key, task);
  };

  const settle = (worker: Worker, result: TaskResult): void => {
    const lease = leases.get(result.value.leaseId);
    if (lease === undefined || lease.worker !== worker) {
      options.attempt("stale");
      log.warn(
        { leaseId: result.value.leaseId, worker: worker.workerId },
        "ignored the result of a lease that has ended",
      );
      return;
    }
    endLease(lease);
    attempts.delete(lease.task.key);
    options.attempt("done");
    const { task } = lease;
    if (result.case === "mergeDone") {
      const { sha256, byteLength } = result.value;
      held.set(heldKey(task.jobId, task.candidateId, task.shard), {
        workerId: worker.workerId,
        address: worker.address,
        sha256,
        byteLength: Number(byteLength),
      });
    }
    task.done(result, worker.address);
  };

  const remove = (worker: Worker): void => {
    if (workers.get(worker.workerId) !== worker) return;
    workers.delete(worker.workerId);
    for (const [home, owner] of owners) if (owner === worker.workerId) owners.delete(home);
    for (const [key, holder] of held) if (holder.workerId === worker.workerId) held.delete(key);
    const lost = [...worker.leases].map((leaseId) => leases.get(leaseId)!);
    log.info({ worker: worker.workerId, leases: lost.length, workers: workers.size }, "shard worker left");
    for (const lease of lost) {
      options.attempt("lost");
      endLease(lease);
      retry(lease, new AmalgamError("unavailable", `the worker ${worker.workerId} was lost while it had the lease`));
    }
    leaseSoon();
  };

  const receive = (worker: Worker, message: WorkerMessage): void => {
    worker.seenMs = options.now();
    switch (message.case) {
      case "statisticDone":
      case "mergeDone":
      case "writeDone":
        settle(worker, message);
        break;
      case "leaseFailed": {
        const lease = leases.get(message.value.leaseId);
        if (lease === undefined || lease.worker !== worker) break;
        endLease(lease);
        options.attempt("failed");
        const error = new AmalgamError(message.value.code as ErrorCode, message.value.message);
        log.warn({ worker: worker.workerId, shard: lease.task.shard, code: error.code }, error.message);
        if (isRetryable(error.code)) retry(lease, error);
        else lease.task.failed(error);
        break;
      }
      case "leaving":
        worker.leaving = true;
        if (worker.leases.size === 0) worker.end();
        break;
      default:
        break;
    }
    if (worker.leaving && worker.leases.size === 0) worker.end();
    leaseSoon();
  };

  return {
    submit(task) {
      if (waiting.has(task.key) || leaseOfTask.has(task.key)) return;
      waiting.set(task.key, task);
      leaseSoon();
    },
    cancel(prefix) {
      for (const key of waiting.keys()) if (key.startsWith(prefix)) waiting.delete(key);
      for (const lease of [...leases.values()]) if (lease.task.key.startsWith(prefix)) endLease(lease);
      for (const key of attempts.keys()) if (key.startsWith(prefix)) attempts.delete(key);
    },
    held: (jobId, candidateId, shard) => held.get(heldKey(jobId, candidateId, shard)),
    lost: (jobId, candidateId, shard) => void held.delete(heldKey(jobId, candidateId, shard)),
    drop(jobId, candidateIds) {
      for (const key of held.keys()) {
        if (candidateIds.some((candidateId) => key.startsWith(`${jobId}/${candidateId}/`))) held.delete(key);
      }
      const message = { case: "drop" as const, value: { jobId, candidateIds: [...candidateIds] } };
      for (const worker of workers.values()) worker.send({ message });
    },
    forget(jobId) {
      this.cancel(`${jobId}/`);
      for (const key of held.keys()) if (key.startsWith(`${jobId}/`)) held.delete(key);
      for (const home of owners.keys()) if (home.startsWith(`${jobId}/`)) owners.delete(home);
      for (const worker of workers.values()) worker.send({ message: { case: "forget", value: { jobId } } });
    },
    connect(hello, send, end) {
      const previous = workers.get(hello.workerId);
      if (previous !== undefined) {
        previous.end();
        remove(previous);
      }
      const worker: Worker = {
        workerId: hello.workerId,
        address: hello.address,
        slots: Math.max(1, hello.slots),
        send,
        end,
        leases: new Set(),
        bytes: 0,
        seenMs: options.now(),
        leaving: false,
      };
      workers.set(worker.workerId, worker);
      for (const { jobId, candidateId, shard, sha256, byteLength } of hello.held) {
        held.set(heldKey(jobId, candidateId, shard), {
          workerId: worker.workerId,
          address: worker.address,
          sha256,
          byteLength: Number(byteLength),
        });
        owners.set(`${jobId}/${shard}`, worker.workerId);
      }
      const welcome: Pick<Welcome, "epoch" | "leaseMs" | "heartbeatMs"> = {
        epoch: BigInt(epoch),
        leaseMs: options.leaseMs,
        heartbeatMs: Math.ceil(options.leaseMs / 4),
      };
      send({ message: { case: "welcome", value: welcome } });
      log.info({ worker: worker.workerId, address: worker.address, slots: worker.slots }, "shard worker joined");
      leaseSoon();
      return { receive: (message) => receive(worker, message), close: () => remove(worker) };
    },
    tick() {
      const now = options.now();
      for (const worker of [...workers.values()]) {
        if (now - worker.seenMs <= options.leaseMs) continue;
        log.warn({ worker: worker.workerId, silentMs: Math.round(now - worker.seenMs) }, "shard worker is silent");
        worker.end();
        remove(worker);
      }
    },
    get workers() {
      return workers.size;
    },
    get slots() {
      let total = 0;
      for (const worker of workers.values()) total += worker.slots;
      return { used: leases.size, total };
    },
  };
}
