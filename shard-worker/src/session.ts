// What one worker knows of its session: the epoch and the leases it holds. A pure reducer; it starts and sends nothing.
import type { Lease } from "@amalgam/proto";

export interface SessionState {
  /** Epoch of the coordinator this session is with; undefined before its welcome and after the stream broke. */
  readonly epoch: bigint | undefined;
  /** Leases in the order of their arrival, queued and running alike. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** Of those, the ones that were started. */
  readonly running: ReadonlySet<string>;
}

export type SessionEvent =
  | { readonly kind: "welcome"; readonly epoch: bigint }
  | { readonly kind: "lease"; readonly lease: Lease }
  | { readonly kind: "started"; readonly leaseId: string }
  | { readonly kind: "finished"; readonly leaseId: string }
  /** The coordinator wants nothing more for these candidates. */
  | { readonly kind: "drop"; readonly jobId: string; readonly candidateIds: readonly string[] }
  | { readonly kind: "forget"; readonly jobId: string }
  /** The stream broke: whatever was leased over it is void. */
  | { readonly kind: "closed" };

export interface SessionStep {
  readonly state: SessionState;
  /** Leases that were given up by this event; those that run must be stopped. */
  readonly cancelled: readonly string[];
}

export const noSession: SessionState = { epoch: undefined, leases: new Map(), running: new Set() };

/** Applies one event. A lease of another epoch, or one known already, changes nothing. */
export function reduceSession(state: SessionState, event: SessionEvent): SessionStep {
  switch (event.kind) {
    case "welcome":
      return { ...without(state, () => true), state: { ...noSession, epoch: event.epoch } };
    case "lease": {
      const { lease } = event;
      if (lease.epoch !== state.epoch || state.leases.has(lease.leaseId)) return { state, cancelled: [] };
      return { state: { ...state, leases: new Map(state.leases).set(lease.leaseId, lease) }, cancelled: [] };
    }
    case "started": {
      if (!state.leases.has(event.leaseId)) return { state, cancelled: [] };
      return { state: { ...state, running: new Set(state.running).add(event.leaseId) }, cancelled: [] };
    }
    case "finished":
      return { state: without(state, ({ leaseId }) => leaseId === event.leaseId).state, cancelled: [] };
    case "drop": {
      const dropped = new Set(event.candidateIds);
      return without(state, ({ jobId, candidate }) => jobId === event.jobId && dropped.has(candidate?.id ?? ""));
    }
    case "forget":
      return without(state, ({ jobId }) => jobId === event.jobId);
    case "closed":
      return { ...without(state, () => true), state: noSession };
    default:
      return event satisfies never;
  }
}

/** Leases that wait to be started, oldest first. */
export function queuedLeases(state: SessionState): Lease[] {
  return [...state.leases.values()].filter(({ leaseId }) => !state.running.has(leaseId));
}

function without(state: SessionState, gone: (lease: Lease) => boolean): SessionStep {
  const cancelled = [...state.leases.values()].filter(gone).map(({ leaseId }) => leaseId);
  if (cancelled.length === 0) return { state, cancelled };
  const leases = new Map(state.leases);
  const running = new Set(state.running);
  for (const leaseId of cancelled) {
    leases.delete(leaseId);
    running.delete(leaseId);
  }
  return { state: { ...state, leases, running }, cancelled };
}
