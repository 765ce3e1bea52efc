// What an evaluator counts.
import { Counter, Histogram, type Registry } from "prom-client";

export interface EvaluatorMetrics {
  evaluated(outcome: string, seconds: number): void;
}

export function createEvaluatorMetrics(registry: Registry): EvaluatorMetrics {
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
  return {
    evaluated(outcome, seconds) {
      evaluations.inc({ outcome });
      duration.observe(seconds);
    },
  };
}
