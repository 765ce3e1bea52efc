// What this process can be told, by options, AMALGAM_ variables or a JSON file; see loadConfig.
import { AUTO, BACKENDS, isBackend, WASM } from "@amalgam/devices/names";
import { z } from "zod";

export interface ShardWorkerSettings {
  /** Unique among the workers of a coordinator; by default host and process. */
  readonly id: string | undefined;
  /** "host:port" of the coordinator. */
  readonly coordinatorAddress: string;
  /** "host:port" for gRPC; port 0 takes a free one. */
  readonly listen: string;
  /** "host:port" under which others reach it; by default the address taken, with this machine's name for a wildcard. */
  readonly advertise: string | undefined;
  /** Compute threads; by default all cores. */
  readonly threads: number | undefined;
  /** Bound on shards and merged shards in memory; by default half of the machine's. */
  readonly memoryBytes: number | undefined;
  /** direct: own access to inputs and outputs; stream: all over gRPC; auto: direct where the storage is the same. */
  readonly storage: "auto" | "direct" | "stream";
  /** "wasm", a back-end with a device, or "auto" for the fastest that gives the same bytes as "wasm". */
  readonly backend: string;
  /** "host:port" for /metrics, /healthz and /readyz; none by default. */
  readonly ops: string | undefined;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
}

export const shardWorkerSettings: z.ZodObject<{ [K in keyof ShardWorkerSettings]: z.ZodType<ShardWorkerSettings[K]> }> =
  z.object({
    id: z.string().optional(),
    coordinatorAddress: z.string().default("127.0.0.1:7070"),
    listen: z.string().default("127.0.0.1:0"),
    advertise: z.string().optional(),
    threads: z.int().positive().optional(),
    memoryBytes: z.int().positive().optional(),
    storage: z.enum(["auto", "direct", "stream"]).default("auto"),
    backend: z
      .string()
      .refine((name) => name === AUTO || isBackend(name), BACKENDS)
      .default(WASM),
    ops: z.string().optional(),
    insecure: z.boolean().default(false),
  });
