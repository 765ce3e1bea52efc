/**
 * Metrics every process has. A Registry is made in main.ts and passed to whatever measures; there is no global one. Names
 * follow Prometheus' naming practices: `amalgam_` prefix (the standard `process_` names stay as every dashboard knows
 * them), base units, `_total` for counters.
 */
import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Metric, Registry } from "prom-client";

export { Registry };

/** The metric of that name in `registry`, made on first use: several parts of a process may share one metric. */
export function getOrRegister<M extends Metric>(registry: Registry, name: string, make: () => M): M {
  return (registry.getSingleMetric(name) as M | undefined) ?? make();
}

export interface ProcessMetricsOptions {
  readonly registry: Registry;
  /** coordinator, worker, evaluator, cli. */
  readonly role: string;
  readonly version: string;
}

/** Registers build information, event-loop lag and process metrics. Disposing stops the lag monitor. */
export function collectProcessMetrics({ registry, role, version }: ProcessMetricsOptions): Disposable {
  const registers = [registry];
  new Gauge({
    name: "amalgam_build_info",
    help: "Always 1; the labels say what runs.",
    labelNames: ["role", "version", "node"],
    registers,
  }).set({ role, version, node: process.versions.node }, 1);
  const stopLag = collectEventLoopLag(registry);
  const gauges: readonly (readonly [name: string, help: string, read: () => number | undefined])[] = [
    ["process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss()],
    ["process_start_time_seconds", "Start time of the process since the Unix epoch in seconds.", startTimeSeconds],
    ["process_open_fds", "Open file descriptors.", openFileDescriptors],
    ["amalgam_heap_used_bytes", "JavaScript heap in use.", () => process.memoryUsage().heapUsed],
    [
      "amalgam_array_buffers_bytes",
      "Memory in ArrayBuffers outside the JavaScript heap.",
      () => process.memoryUsage().arrayBuffers,
    ],
  ];
  for (const [name, help, read] of gauges)
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  return { [Symbol.dispose]: stopLag };
}

/** How late timers fire because JavaScript was busy, over the time since the last scrape. */
function collectEventLoopLag(registry: Registry): () => void {
  const resolutionMs = 20;
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  // The histogram holds whole intervals of the sampling timer, in nanoseconds; what exceeds its resolution is lag.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
  const highest = new Gauge({
    name: "amalgam_event_loop_lag_max_seconds",
    help: "Longest delay of the event loop since the last scrape.",
    registers: [registry],
  });
  new Gauge({
    name: "amalgam_event_loop_lag_p99_seconds",
    help: "99th percentile of the event loop's delay since the last scrape.",
    registers: [registry],
    collect() {
      this.set(seconds(histogram.percentile(99)));
      highest.set(seconds(histogram.max));
      histogram.reset();
    },
  });
  return () => histogram.disable();
}

/** From the wall clock, which is right for this one: it tells people and Prometheus when the process began. */
function startTimeSeconds(): number {
  return Math.floor(performance.timeOrigin / 1000);
}

function openFileDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
