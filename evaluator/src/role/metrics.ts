// What an evaluator counts.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Bytes that an evaluator keeps from one evaluation to the next. */
export interface HeldBytes {
  /** Weights in float32, of all jobs. */
  readonly weights: number;
  /** Merged shards as workers sent them. */
  readonly shards: number;
}

export interface EvaluatorMetrics {
  evaluated(outcome: string, seconds: number): void;
  /** @param look called when the metrics are scraped */
  holds(look: () => HeldBytes): void;
}

/** @param held estimates, looked at when the metrics are scraped */
export function createEvaluatorMetrics(
  registry: Registry,
  held: { readonly memoryBytes: number; readonly fileBytes: number },
): EvaluatorMetrics {
  const evaluations = new Counter({
    name: "amalgam_evaluations_total",
    help: "Evaluations by outcome.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const duration = new Histogram({
    name: "amalgam_evaluation_duration_seconds",
    help: "Time from receiving an evaluation to its acknowledgement.",
    buckets: [0.05, 0.2, 1, 5, 20, 60, 300],
    registers: [registry],
  });
  new Gauge({
    name: "amalgam_evaluator_held_estimate_bytes",
    help: "Estimates of importance held for shard workers, in memory and in temporary files.",
    labelNames: ["where"],
    registers: [registry],
    collect() {
      this.set({ where: "memory" }, held.memoryBytes);
      this.set({ where: "file" }, held.fileBytes);
    },
  });
  let lookAtHeld = (): HeldBytes => ({ weights: 0, shards: 0 });
  new Gauge({
    name: "amalgam_evaluator_held_bytes",
    help: "Weights and merged shards kept for the next evaluation.",
    labelNames: ["what"],
    registers: [registry],
    collect() {
      const { weights, shards } = lookAtHeld();
      this.set({ what: "weights" }, weights);
      this.set({ what: "shards" }, shards);
    },
  });
  return {
    holds(look) {
      lookAtHeld = look;
    },
    evaluated(outcome, seconds) {
      evaluations.inc({ outcome });
      duration.observe(seconds);
    },
  };
}
