/**
 * Counts, times and logs calls as the serving side sees them, the same for gRPC and for calls within the process. The one
 * place where the cause of an `internal` error can be seen: peers never get it.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { toAmalgamError } from "./errors.ts";
import type { Logger } from "./log.ts";
import { toPeerError } from "./rpc-wire.ts";

export interface ObserveOptions {
  readonly log?: Logger | undefined;
  readonly metrics?: Registry | undefined;
}

/** Begins watching a call; the function it returns is told once how the call ended (undefined: well). */
export type CallObserver = (method: DescMethod, peer: string) => (failure?: { thrown: unknown }) => void;

/** `amalgam_rpc_calls_total{service,method,code}`, `amalgam_rpc_duration_seconds`, `amalgam_rpc_calls_in_progress`. */
export function createCallObserver({ log, metrics }: ObserveOptions): CallObserver {
  const meters = metrics && createMeters(metrics);
  return (method, peer) => {
    const labels = { service: method.parent.typeName, method: method.name };
    const startedAt = performance.now();
    meters?.inProgress.inc(labels);
    return (failure) => {
      const durationMs = performance.now() - startedAt;
      const code = failure === undefined ? "ok" : toPeerError(failure.thrown).code;
      meters?.inProgress.dec(labels);
      meters?.calls.inc({ ...labels, code });
      meters?.duration.observe(labels, durationMs / 1000);
      const fields = { ...labels, peer, code, durationMs: Math.round(durationMs) };
      if (code === "internal") log?.error({ ...fields, err: failure?.thrown }, "rpc failed: a bug in the handler");
      else if (failure === undefined) log?.debug(fields, "rpc done");
      else log?.debug({ ...fields, problem: toAmalgamError(failure.thrown).message }, "rpc failed");
    };
  };
}

function createMeters(registry: Registry) {
  // Several servers of one process share a registry, and a name can be registered only once.
  const shared = <M>(name: string, make: () => M): M => (registry.getSingleMetric(name) as M | undefined) ?? make();
  const registers = [registry];
  const labelNames = ["service", "method"] as const;
  return {
    calls: shared(
      "amalgam_rpc_calls_total",
      () =>
        new Counter({
          name: "amalgam_rpc_calls_total",
          help: "Calls served, by how they ended (google.rpc.Code in lower case).",
          labelNames: [...labelNames, "code"],
          registers,
        }),
    ),
    duration: shared(
      "amalgam_rpc_duration_seconds",
      () =>
        new Histogram({
          name: "amalgam_rpc_duration_seconds",
          help: "Time from the start of a served call to its end, streams included.",
          labelNames,
          buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600],
          registers,
        }),
    ),
    inProgress: shared(
      "amalgam_rpc_calls_in_progress",
      () =>
        new Gauge({
          name: "amalgam_rpc_calls_in_progress",
          help: "Calls being served now.",
          labelNames,
          registers,
        }),
    ),
  };
}
