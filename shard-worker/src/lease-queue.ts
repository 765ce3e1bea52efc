// The leases of one worker in motion: starts what can be started, stops what was given up, reports what is done.
// What a lease does is the runner's; what a session means is the reducer's.
import type { Lease } from "@amalgam/proto";
import type { Logger } from "@amalgam/runtime";
import type { LeaseReport } from "./lease-messages.ts";
import type { LeaseRunner } from "./lease-runner.ts";
import { noSession, queuedLeases, reduceSession, type SessionEvent } from "./session.ts";

export interface LeaseQueue {
  apply(event: SessionEvent): void;
  /** Leases held, running or waiting. */
  readonly leaseIds: string[];
  /** Undefined while no session is open. */
  readonly epoch: bigint | undefined;
}

export interface LeaseQueueParts {
  readonly runner: LeaseRunner;
  /** Leases that may run at once, those that wait for input bytes or for a thread included. */
  readonly limit: number;
  readonly log: Logger;
  /** Gets the report of every lease that the session still holds when it ends. */
  readonly onReport: (report: LeaseReport) => void;
  /** Called after every change. */
  readonly onChange: (event: SessionEvent) => void;
}

export function createLeaseQueue({ runner, limit, log, onReport, onChange }: LeaseQueueParts): LeaseQueue {
  let state = noSession;
  // By lease, not by id: a lease that was given up may still be stopping when its id is leased again.
  const running = new Map<Lease, AbortController>();

  const apply = (event: SessionEvent): void => {
    const { leases } = state;
    const step = reduceSession(state, event);
    state = step.state;
    for (const leaseId of step.cancelled) running.get(leases.get(leaseId)!)?.abort();
    schedule();
    onChange(event);
  };

  const finish = (lease: Lease, report: LeaseReport): void => {
    running.delete(lease);
    if (state.leases.get(lease.leaseId) !== lease) {
      schedule();
      return;
    }
    if (report.case === "leaseFailed") {
      const { code, message } = report.value;
      log.warn(
        { job: lease.jobId, shard: lease.shard?.index, attempt: lease.attempt, code },
        `lease failed: ${message}`,
      );
    }
    onReport(report);
    apply({ kind: "finished", leaseId: lease.leaseId });
  };

  /** Oldest first. Who waits for memory is not overtaken by others that need some. */
  const schedule = (): void => {
    let memoryIsShort = false;
    for (const lease of queuedLeases(state)) {
      if (running.size >= limit) return;
      if (memoryIsShort && !runner.isResident(lease)) continue;
      const controller = new AbortController();
      const report = runner.start(lease, controller.signal, schedule);
      if (report === undefined) {
        memoryIsShort ||= !runner.isBusy(lease);
        continue;
      }
      running.set(lease, controller);
      state = reduceSession(state, { kind: "started", leaseId: lease.leaseId }).state;
      void report.then((message) => finish(lease, message));
    }
  };

  return {
    apply,
    get leaseIds() {
      return [...state.leases.keys()];
    },
    get epoch() {
      return state.epoch;
    },
  };
}
