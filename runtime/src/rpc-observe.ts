/**
 * Counts, times and logs calls as the serving side sees them, the same for gRPC and for calls within the process. The one
 * place where the cause of an `internal` error can be seen: peers never get it.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { toAmalgamError } from "./errors.ts";
import type { Logger } from "./log.ts";
import { getOrRegister } from "./metrics.ts";
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
  const registers = [registry];
  const labelNames = ["service", "method"] as const;
  const [calls, duration, inProgress] = [
    "amalgam_rpc_calls_total",
    "amalgam_rpc_duration_seconds",
    "amalgam_rpc_calls_in_progress",
  ] as const;
  return {
    calls: getOrRegister(registry, calls, () => {
      const help = "Calls served, by how they ended (google.rpc.Code in lower case).";
      return new Counter({ name: calls, help, labelNames: [...labelNames, "code"], registers });
    }),
    duration: getOrRegister(registry, duration, () => {
      const help = "Time from the start of a served call to its end, streams included.";
      const buckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600];
      return new Histogram({ name: duration, help, labelNames, buckets, registers });
    }),
    inProgress: getOrRegister(registry, inProgress, () => {
      return new Gauge({ name: inProgress, help: "Calls being served now.", labelNames, registers });
    }),
  };
}
