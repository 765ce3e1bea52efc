// What a shard worker counts, under the names that dashboards and alerts use. Several workers of one process may share a
// registry: gauges carry the worker's id, counters add up.
import type { Lease } from "@amalgam/proto";
import { getOrRegister, type Registry } from "@amalgam/runtime";
import { Counter, Gauge, Histogram, type Metric } from "prom-client";
import type { ComputeAnswer } from "./compute-pool.ts";

export type AttemptOutcome = "done" | "failed" | "cancelled";
export type Phase = "read" | "compute" | "write";

/** Gauges of one worker. */
export interface WorkerLoad {
  /** Inputs that wait in memory for the next candidate. */
  readonly residentBytes: number;
  /** All memory for shards, in use or kept for reuse. */
  readonly memoryBytes: number;
  /** Merged shards kept for evaluators: in memory, and in temporary files. */
  readonly heldBytes: number;
  readonly spilledBytes: number;
  readonly slots: number;
  readonly leases: number;
}

export interface WorkerMetrics {
  attempt(lease: Lease, outcome: AttemptOutcome): void;
  phase(phase: Phase, ms: number): void;
  inputBytes(source: "direct" | "stream" | "estimate", bytes: number): void;
  answered(answer: ComputeAnswer): void;
  written(bytes: number, ms: number): void;
  load(load: WorkerLoad): void;
}

export function createWorkerMetrics(registry: Registry, workerId: string): WorkerMetrics {
  const registers = [registry];
  const named = <M extends Metric>(suffix: string, make: (name: string) => M): M => {
    const name = `amalgam_shard_worker_${suffix}`;
    return getOrRegister(registry, name, () => make(name));
  };
  const counter = (suffix: string, help: string, labelNames: string[]): Counter =>
    named(suffix, (name) => new Counter({ name, help, labelNames, registers }));
  const gauge = (suffix: string, help: string): Gauge =>
    named(suffix, (name) => new Gauge({ name, help, labelNames: ["worker"], registers }));

  const attempts = counter("attempts_total", "Leases by task and how they ended.", ["task", "outcome"]);
  const input = counter("input_bytes_total", "Input bytes brought into memory, by where they came from.", ["source"]);
  const output = counter("output_bytes_total", "Merged bytes, by where they went.", ["target"]);
  const phases = named(
    "phase_seconds",
    (name) =>
      new Histogram({
        name,
        help: "Time a lease spent reading inputs, computing and hashing, and writing outputs to the disk.",
        labelNames: ["phase"],
        buckets: [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 20, 100],
        registers,
      }),
  );
  const gauges = {
    residentBytes: gauge("resident_bytes", "Memory whose inputs wait for the next candidate."),
    memoryBytes: gauge("memory_bytes", "Memory for shards, in use or kept for reuse."),
    heldBytes: gauge("held_bytes", "Merged shards kept for evaluators in memory."),
    spilledBytes: gauge("spilled_bytes", "Merged shards kept for evaluators in temporary files."),
    slots: gauge("slots", "Leases the worker takes at once."),
    leases: gauge("leases", "Leases the worker has."),
  };
  const phase = (name: Phase, ms: number): void => phases.observe({ phase: name }, ms / 1000);
  return {
    attempt: ({ task }, outcome) => attempts.inc({ task: task.case ?? "none", outcome }),
    phase,
    inputBytes: (source, bytes) => input.inc({ source }, bytes),
    answered({ result, computeMs }) {
      phase("compute", computeMs);
      if (result.kind === "held") output.inc({ target: "held" }, result.bytes.byteLength);
    },
    written(bytes, ms) {
      phase("write", ms);
      output.inc({ target: "written" }, bytes);
    },
    load(load) {
      for (const name of Object.keys(gauges) as (keyof WorkerLoad)[])
        gauges[name].set({ worker: workerId }, load[name]);
    },
  };
}
