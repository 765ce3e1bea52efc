// What this process can be told, by options, AMALGAM_ variables or a JSON file; see loadConfig.
import { z } from "zod";

export interface EvaluatorSettings {
  /** Names it in score reports; by default host and process. */
  readonly id: string | undefined;
  /** NATS servers, separated by commas. */
  readonly natsUrl: string;
  /** Compute threads; by default all cores. */
  readonly threads: number | undefined;
  /** onnxruntime's execution provider: cpu, webgpu, cuda, ... */
  readonly provider: string;
  /** Whether tasks may run the commands that they name, with the rights of this process. */
  readonly allowCommands: boolean;
  /** Evaluations under way at a time: one computes while the next fetches its shards. */
  readonly slots: number;
  /** Merged shards kept between evaluations. */
  readonly cacheBytes: number;
  /** Estimates of importance kept for later candidates; those that are needed are kept beyond it, on the disk. */
  readonly estimateBytes: number;
  /** "host:port" for gRPC, where shard workers fetch estimates; port 0 takes a free one. */
  readonly listen: string;
  /** "host:port" under which others reach it; by default the address taken, with this machine's name for a wildcard. */
  readonly advertise: string | undefined;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
  /** "host:port" for /metrics, /healthz and /readyz; none by default. */
  readonly ops: string | undefined;
}

export const evaluatorSettings: z.ZodObject<{ [K in keyof EvaluatorSettings]: z.ZodType<EvaluatorSettings[K]> }> =
  z.object({
    id: z.string().optional(),
    natsUrl: z.string().default("nats://127.0.0.1:4222"),
    threads: z.int().positive().optional(),
    provider: z.string().default("cpu"),
    allowCommands: z.boolean().default(false),
    slots: z.int().positive().default(2),
    cacheBytes: z
      .int()
      .positive()
      .default(2 ** 30),
    estimateBytes: z
      .int()
      .positive()
      .default(2 ** 30),
    listen: z.string().default("127.0.0.1:0"),
    advertise: z.string().optional(),
    insecure: z.boolean().default(false),
    ops: z.string().optional(),
  });
