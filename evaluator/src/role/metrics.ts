// What an evaluator counts.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface EvaluatorMetrics {
  evaluated(outcome: string, seconds: number): void;
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
  return {
    evaluated(outcome, seconds) {
      evaluations.inc({ outcome });
      duration.observe(seconds);
    },
  };
}
