// What a coordinator counts.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { JobEvent } from "./job/events.ts";

export interface CoordinatorMetrics {
  recorded(events: readonly JobEvent[]): void;
  attempt(outcome: string): void;
  journalled(seconds: number): void;
}

/** Facts read when the metrics are scraped. */
export interface CoordinatorGauges {
  jobs(): ReadonlyMap<string, number>;
  workers(): number;
  slots(): { readonly used: number; readonly total: number };
  busConnected(): boolean;
}

const ESTIMATES: ReadonlySet<JobEvent["type"]> = new Set(["estimated", "estimateLost", "estimateFailed"]);

export function createCoordinatorMetrics(registry: Registry, gauges: CoordinatorGauges): CoordinatorMetrics {
  const registers = [registry];
  const events = new Counter({
    name: "amalgam_job_events_total",
    help: "Journalled events by type.",
    labelNames: ["type"],
    registers,
  });
  const estimates = new Counter({
    name: "amalgam_estimates_total",
    help: "Estimates of importance by what became of them: estimated, estimateLost, estimateFailed.",
    labelNames: ["outcome"],
    registers,
  });
  const estimateSeconds = new Counter({
    name: "amalgam_estimate_seconds_total",
    help: "Time that evaluators spent on estimates.",
    registers,
  });
  const attempts = new Counter({
    name: "amalgam_shard_attempts_total",
    help: "Leases on shards by how they ended.",
    labelNames: ["outcome"],
    registers,
  });
  const journal = new Histogram({
    name: "amalgam_journal_commit_seconds",
    help: "Time to append and sync events.",
    buckets: [0.0005, 0.002, 0.01, 0.05, 0.2, 1],
    registers,
  });
  const progress = new Gauge({
    name: "amalgam_last_progress_timestamp_seconds",
    help: "Unix time of the newest journalled event.",
    registers,
  });
  new Gauge({
    name: "amalgam_jobs",
    help: "Jobs by state.",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of gauges.jobs()) this.set({ state }, count);
    },
  });
  new Gauge({
    name: "amalgam_workers",
    help: "Connected shard workers.",
    registers,
    collect() {
      this.set(gauges.workers());
    },
  });
  new Gauge({
    name: "amalgam_worker_slots",
    help: "Slots of the connected shard workers.",
    labelNames: ["state"],
    registers,
    collect() {
      const { used, total } = gauges.slots();
      this.set({ state: "used" }, used);
      this.set({ state: "free" }, Math.max(0, total - used));
    },
  });
  new Gauge({
    name: "amalgam_bus_connected",
    help: "1 while the bus can be reached.",
    registers,
    collect() {
      this.set(gauges.busConnected() ? 1 : 0);
    },
  });
  return {
    recorded(news) {
      for (const event of news) {
        events.inc({ type: event.type });
        if (event.type === "estimated") estimateSeconds.inc(event.seconds);
        if (ESTIMATES.has(event.type)) estimates.inc({ outcome: event.type });
      }
      progress.setToCurrentTime();
    },
    attempt: (outcome) => attempts.inc({ outcome }),
    journalled: (seconds) => journal.observe(seconds),
  };
}
