// `amalgam worker`
import { hostname, totalmem } from "node:os";
import { runShardWorkerProcess, type StorageMode } from "@amalgam/shard-worker/main";
import type { CommandContext } from "../context.ts";
import { defaultThreads } from "../roles/local.ts";

export interface WorkerCommandOptions {
  readonly coordinator: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly id?: string;
  readonly threads?: number;
  readonly memory?: number;
  readonly storage: StorageMode;
  readonly ops?: string;
  readonly insecure?: boolean;
}

export async function run(context: CommandContext, options: WorkerCommandOptions): Promise<void> {
  const workerId = options.id ?? `${hostname()}-${process.pid}`;
  const config = {
    workerId,
    coordinatorAddress: options.coordinator,
    listen: options.listen,
    advertise: options.advertise,
    threads: options.threads ?? defaultThreads(),
    memoryBytes: options.memory ?? Math.floor(totalmem() / 2),
    storage: options.storage,
    ops: options.ops,
    insecure: options.insecure ?? false,
  };
  await runShardWorkerProcess(config, context.log, context.signal, (address) => {
    if (context.json) context.printJson({ ready: "worker", address });
    else context.print(`worker ${workerId} serves merged shards on ${address}`);
  });
}
