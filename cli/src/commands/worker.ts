// `amalgam worker`
import { runShardWorkerProcess } from "@amalgam/shard-worker/main";
import { shardWorkerSettings } from "@amalgam/shard-worker/settings";
import type { CommandContext } from "../context.ts";
import { loadSettings } from "../roles/settings.ts";

export interface WorkerCommandOptions {
  readonly config?: string;
  readonly coordinator?: string;
  readonly listen?: string;
  readonly advertise?: string;
  readonly id?: string;
  readonly threads?: number;
  readonly memory?: number;
  readonly storage?: string;
  readonly backend?: string;
  readonly ops?: string;
  readonly insecure?: boolean;
}

export async function run(context: CommandContext, options: WorkerCommandOptions): Promise<void> {
  const { config, coordinator, memory, listen, advertise, id, threads, storage, backend, ops, insecure } = options;
  const overrides = {
    coordinatorAddress: coordinator,
    memoryBytes: memory,
    listen,
    advertise,
    id,
    threads,
    storage,
    backend,
    ops,
    insecure,
  };
  const settings = loadSettings(shardWorkerSettings, config, overrides);
  await runShardWorkerProcess(settings, context.log, context.signal, (address) => {
    if (context.json) context.printJson({ ready: "worker", address });
    else context.print(`worker serves merged shards on ${address}`);
  });
}
