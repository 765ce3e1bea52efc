// What this process can be told, by options, AMALGAM_ variables or a JSON file; see loadConfig.
import { z } from "zod";

export interface CoordinatorSettings {
  /** "host:port" for gRPC; port 0 takes a free one. */
  readonly listen: string;
  /** "host:port" under which evaluators reach it; by default where it listens. */
  readonly advertise: string | undefined;
  /** Directory of the journal; one coordinator at a time. */
  readonly stateDirectory: string;
  /** NATS servers, separated by commas. */
  readonly natsUrl: string;
  /** "host:port" for /metrics, /healthz and /readyz; none by default. */
  readonly ops: string | undefined;
  /** A worker that is silent for this long loses its leases. */
  readonly leaseMs: number;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
}

export const coordinatorSettings: z.ZodObject<{ [K in keyof CoordinatorSettings]: z.ZodType<CoordinatorSettings[K]> }> =
  z.object({
    listen: z.string().default("127.0.0.1:7070"),
    advertise: z.string().optional(),
    stateDirectory: z.string().default("amalgam-state"),
    natsUrl: z.string().default("nats://127.0.0.1:4222"),
    ops: z.string().optional(),
    leaseMs: z.int().positive().default(15_000),
    insecure: z.boolean().default(false),
  });
