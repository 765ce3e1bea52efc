// The shard workers and what they are leased: sessions, leases, retries, and who holds which merged shard.
// Volatile by design: after a restart workers connect again, say what they hold, and tasks are submitted anew.
import { AmalgamError, isErrorCode, isPermanent, toAmalgamError } from "@amalgam/runtime";
import { assign, canMerge, type WaitingTask } from "./assign.ts";
import { GivenInputLost } from "./given-input-lost.ts";
import { createHeldIndex } from "./held.ts";
import { createHomes, homeOf } from "./homes.ts";
import type { Fleet, FleetOptions, ShardTask, TaskResult, WorkerMessage, WorkResponseInit } from "./types.ts";

export type { Held } from "./held.ts";
export type { Fleet, FleetOptions, ShardTask, TaskResult, WorkerSession } from "./types.ts";

interface Worker {
  readonly workerId: string;
  readonly address: string;
  readonly slots: number;
  readonly backend: string;
  readonly send: (message: WorkResponseInit) => void;
  readonly end: () => void;
  readonly leases: Map<string, Lease>;
  seenMs: number;
  leaving: boolean;
}

/** A task that is not settled. */
interface Tracked {
  readonly task: ShardTask;
  attempts: number;
  lease: Lease | undefined;
  /** After a failure: the worker it failed on, which may have it again from `againMs` on. Others may at once. */
  failedOn: string | undefined;
  againMs: number;
}

interface Lease {
  readonly leaseId: string;
  readonly tracked: Tracked;
  readonly worker: Worker;
  readonly givenMs: number;
}

const FIRST_RETRY_MS = 250;

export function createFleet(options: FleetOptions): Fleet {
  const { epoch, leaseMs, log } = options;
  const workers = new Map<string, Worker>();
  /** In the order of their submission. */
  const tasks = new Map<string, Tracked>();
  const homes = createHomes();
  const held = createHeldIndex();
  let leaseCount = 0;
  let isLeasing = false;
  let tickedMs = options.now();

  /** Gives out leases once the current burst of messages is handled, so that one pass serves them all. */
  const leaseSoon = (): void => {
    if (isLeasing) return;
    isLeasing = true;
    queueMicrotask(() => {
      isLeasing = false;
      const loads = [...workers.values()]
        .filter(({ leaving }) => !leaving)
        .map(({ workerId, slots, backend, leases }) => {
          const free = Math.max(0, slots - leases.size);
          return { workerId, slots, backend, free, bytes: homes.bytesOf(workerId) };
        });
      for (const { key, workerId } of assign(waiting(), loads, homes.ownerOf)) give(key, workerId);
      options.changed();
    });
  };

  function* waiting(): Generator<WaitingTask> {
    const now = options.now();
    for (const { task, lease, failedOn, againMs } of tasks.values()) {
      if (lease !== undefined) continue;
      const avoid = now < againMs ? failedOn : undefined;
      yield { key: task.key, home: homeOf(task), bytes: task.inputBytes, backend: task.backend, avoid };
    }
  }

  const give = (key: string, workerId: string): void => {
    const tracked = tasks.get(key);
    const worker = workers.get(workerId);
    if (tracked === undefined || worker === undefined) return;
    const { task } = tracked;
    let body: ReturnType<ShardTask["lease"]>;
    try {
      body = task.lease();
    } catch (error) {
      tasks.delete(key);
      task.failed(toAmalgamError(error));
      return;
    }
    const lease: Lease = { leaseId: `${epoch}.${++leaseCount}`, tracked, worker, givenMs: options.now() };
    tracked.lease = lease;
    tracked.attempts++;
    worker.leases.set(lease.leaseId, lease);
    if (body.keepInputs) homes.own(homeOf(task), workerId, task.inputBytes);
    const value = { ...body, leaseId: lease.leaseId, epoch: BigInt(epoch), attempt: tracked.attempts };
    worker.send({ message: { case: "lease", value } });
  };

  const endLease = (lease: Lease): void => {
    lease.worker.leases.delete(lease.leaseId);
    lease.tracked.lease = undefined;
  };

  const endTasks = (gone: (task: ShardTask) => boolean): void => {
    for (const [key, { task, lease }] of tasks) {
      if (!gone(task)) continue;
      tasks.delete(key);
      if (lease !== undefined) endLease(lease);
    }
    leaseSoon();
  };

  /** The task waits for another lease, or fails when it has had enough of them. */
  const retry = ({ task, attempts }: Tracked, { code, message }: AmalgamError): void => {
    if (attempts < options.maxAttempts) return;
    tasks.delete(task.key);
    // What says "try again" has been tried again.
    const lastCode = code === "aborted" || code === "cancelled" ? "unavailable" : code;
    task.failed(new AmalgamError(lastCode, `${message} (shard ${task.shard} was tried ${attempts} times)`));
  };

  /** The lease ended without an answer. */
  const lose = (lease: Lease, reason: string): void => {
    options.attempt("lost");
    endLease(lease);
    retry(lease.tracked, new AmalgamError("unavailable", reason));
  };

  /** The worker's lease of that id; what is said of any other is late, and counted. */
  const leaseOf = (worker: Worker, leaseId: string): Lease | undefined => {
    const lease = worker.leases.get(leaseId);
    if (lease === undefined) {
      options.attempt("stale");
      log.warn({ leaseId, worker: worker.workerId }, "ignored the answer to a lease that has ended");
    }
    return lease;
  };

  const settle = (worker: Worker, result: TaskResult): void => {
    const lease = leaseOf(worker, result.value.leaseId);
    if (lease === undefined) return;
    const { task } = lease.tracked;
    endLease(lease);
    tasks.delete(task.key);
    options.attempt("done");
    if (result.case === "mergeDone") {
      const { jobId, candidateId, shard } = task;
      const { sha256, byteLength } = result.value;
      const { workerId, address } = worker;
      held.add({ jobId, candidateId, shard, workerId, address, sha256, byteLength: Number(byteLength) });
    }
    task.done(result, worker.address);
    leaseSoon();
  };

  const fail = (worker: Worker, { leaseId, code, message, lost }: WorkerFailure): void => {
    const lease = leaseOf(worker, leaseId);
    if (lease === undefined) return;
    const { tracked } = lease;
    endLease(lease);
    options.attempt("failed");
    const error =
      lost.length > 0
        ? new GivenInputLost(message, lost)
        : new AmalgamError(isErrorCode(code) ? code : "unknown", message);
    log.warn({ worker: worker.workerId, shard: tracked.task.shard, attempt: tracked.attempts, code }, message);
    if (!isPermanent(error.code) && !(error instanceof GivenInputLost)) {
      tracked.failedOn = worker.workerId;
      tracked.againMs = options.now() + Math.min(leaseMs, FIRST_RETRY_MS * 2 ** (tracked.attempts - 1));
      retry(tracked, error);
    } else {
      tasks.delete(tracked.task.key);
      tracked.task.failed(error);
    }
    leaseSoon();
  };

  /** What a heartbeat does not name was given up, unless it may have been sent before the lease arrived. */
  const renew = (worker: Worker, leaseIds: readonly string[]): void => {
    const named = new Set(leaseIds);
    const now = options.now();
    for (const lease of [...worker.leases.values()]) {
      if (named.has(lease.leaseId) || now - lease.givenMs <= leaseMs / 2) continue;
      lose(lease, `the worker ${worker.workerId} gave up the lease`);
      leaseSoon();
    }
  };

  const remove = (worker: Worker): void => {
    if (workers.get(worker.workerId) !== worker) return;
    workers.delete(worker.workerId);
    homes.disown((_, owner) => owner === worker.workerId);
    held.remove(({ workerId }) => workerId === worker.workerId);
    log.info({ worker: worker.workerId, leases: worker.leases.size, workers: workers.size }, "shard worker left");
    for (const lease of [...worker.leases.values()]) {
      lose(lease, `the worker ${worker.workerId} was lost while it had the lease`);
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
      case "leaseFailed":
        fail(worker, message.value);
        break;
      case "heartbeat":
        renew(worker, message.value.leaseIds);
        break;
      case "leaving":
        worker.leaving = true;
        leaseSoon();
        break;
      default:
        break;
    }
    if (worker.leaving && worker.leases.size === 0) worker.end();
  };

  return {
    submit(task) {
      if (tasks.has(task.key)) throw new Error(`the task ${task.key} is under way already`);
      tasks.set(task.key, { task, attempts: 0, lease: undefined, failedOn: undefined, againMs: 0 });
      leaseSoon();
    },
    cancel: (jobId) => endTasks((task) => task.jobId === jobId),
    held: held.get,
    lost(jobId, candidateId, shard) {
      held.remove((each) => each.jobId === jobId && each.candidateId === candidateId && each.shard === shard);
    },
    drop(jobId, candidateIds) {
      const isDropped = (each: { readonly jobId: string; readonly candidateId: string }): boolean =>
        each.jobId === jobId && candidateIds.includes(each.candidateId);
      endTasks(isDropped);
      held.remove(isDropped);
      const message = { case: "drop" as const, value: { jobId, candidateIds: [...candidateIds] } };
      for (const worker of workers.values()) worker.send({ message });
    },
    forget(jobId) {
      endTasks((task) => task.jobId === jobId);
      held.remove((each) => each.jobId === jobId);
      homes.disown((home) => home.startsWith(`${jobId}/`));
      for (const worker of workers.values()) worker.send({ message: { case: "forget", value: { jobId } } });
    },
    connect(hello, send, end) {
      const { workerId, address, backend } = hello;
      const previous = workers.get(workerId);
      if (previous !== undefined) {
        previous.end();
        remove(previous);
      }
      const slots = Math.max(1, hello.slots);
      const seenMs = options.now();
      const facts = { workerId, address, slots, backend };
      const worker: Worker = { ...facts, send, end, leases: new Map(), seenMs, leaving: false };
      workers.set(workerId, worker);
      const welcome = { epoch: BigInt(epoch), leaseMs, heartbeatMs: Math.ceil(leaseMs / 4) };
      send({ message: { case: "welcome", value: welcome } });
      const closed = new Set<string>();
      for (const { jobId, candidateId, shard, sha256, byteLength } of hello.held) {
        if (!options.isOpen(jobId)) {
          closed.add(jobId);
          continue;
        }
        const bytes = Number(byteLength);
        held.add({ jobId, candidateId, shard, workerId, address, sha256, byteLength: bytes });
        // It merged the shard, so it may have the inputs; how many bytes those are is known when it is leased again.
        const home = homeOf({ jobId, shard });
        if (homes.ownerOf(home) === undefined) homes.own(home, workerId, bytes);
      }
      for (const jobId of closed) send({ message: { case: "forget", value: { jobId } } });
      log.info({ worker: workerId, address, slots, backend }, "shard worker joined");
      leaseSoon();
      return { receive: (message) => receive(worker, message), close: () => remove(worker) };
    },
    tick() {
      const now = options.now();
      // A coordinator that stood still itself heard nobody: what was said meanwhile is only read after this.
      const deafMs = Math.max(0, now - tickedMs - leaseMs / 4);
      tickedMs = now;
      for (const worker of [...workers.values()]) {
        worker.seenMs = Math.min(now, worker.seenMs + deafMs);
        if (now - worker.seenMs <= leaseMs) continue;
        log.warn({ worker: worker.workerId, silentMs: Math.round(now - worker.seenMs) }, "shard worker is silent");
        worker.end();
        remove(worker);
      }
      for (const { lease, failedOn } of tasks.values()) {
        if (lease !== undefined || failedOn === undefined) continue;
        leaseSoon();
        break;
      }
    },
    get workers() {
      return workers.size;
    },
    offers: (backend) => workers.values().some((worker) => canMerge(worker, backend)),
    get slots() {
      let [used, total] = [0, 0];
      for (const { slots, leases } of workers.values()) {
        used += leases.size;
        total += slots;
      }
      return { used, total };
    },
  };
}

type WorkerFailure = Extract<WorkerMessage, { case: "leaseFailed" }>["value"];
