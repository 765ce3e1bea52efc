// `amalgam coordinator`
import { resolve } from "node:path";
import { runCoordinatorProcess } from "@amalgam/coordinator/main";
import type { CommandContext } from "../context.ts";

export interface CoordinatorCommandOptions {
  readonly listen: string;
  readonly advertise?: string;
  readonly state: string;
  readonly nats: string;
  readonly leaseMs: number;
  readonly ops?: string;
  readonly insecure?: boolean;
}

export async function run(context: CommandContext, options: CoordinatorCommandOptions): Promise<void> {
  const { listen, advertise, nats: natsUrl, leaseMs, ops, insecure = false } = options;
  const config = { listen, advertise, stateDirectory: resolve(options.state), natsUrl, ops, leaseMs, insecure };
  await runCoordinatorProcess(config, context.log, context.signal, (address) => {
    if (context.json) context.printJson({ ready: "coordinator", address });
    else context.print(`coordinator listens on ${address}`);
  });
}
