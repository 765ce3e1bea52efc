// What a shard worker counts, under the names that dashboards and alerts use.
import type { Lease } from "@amalgam/proto";
import type { ObserveOptions } from "@amalgam/runtime";
import type { ComputeAnswer } from "./compute-pool.ts";

export type MetricsRegistry = NonNullable<ObserveOptions["metrics"]>;

export type AttemptOutcome = "done" | "failed" | "cancelled";
export type Phase = "read" | "compute" | "write";

/** Values that are read when someone looks. */
export interface WorkerGauges {
  readonly residentBytes: () => number;
  readonly memoryBytes: () => number;
  readonly heldBytes: () => number;
  readonly slots: () => number;
  readonly leases: () => number;
}

export interface WorkerMetrics {
  attempt(lease: Lease, outcome: AttemptOutcome): void;
  phase(phase: Phase, ms: number): void;
  inputBytes(source: "direct" | "stream", bytes: number): void;
  answered(answer: ComputeAnswer): void;
}

export function createWorkerMetrics(registry: MetricsRegistry, gauges: WorkerGauges): WorkerMetrics {
  void registry;
  void gauges;
  return { attempt() {}, phase() {}, inputBytes() {}, answered() {} };
}
