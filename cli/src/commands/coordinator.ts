// `amalgam coordinator`
import { resolve } from "node:path";
import { runCoordinatorProcess } from "@amalgam/coordinator/main";
import { coordinatorSettings } from "@amalgam/coordinator/settings";
import type { CommandContext } from "../context.ts";
import { loadSettings } from "../roles/settings.ts";

export interface CoordinatorCommandOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly advertise?: string;
  readonly state?: string;
  readonly nats?: string;
  readonly leaseMs?: number;
  readonly ops?: string;
  readonly insecure?: boolean;
}

export async function run(context: CommandContext, options: CoordinatorCommandOptions): Promise<void> {
  const { config, state, nats, listen, advertise, leaseMs, ops, insecure } = options;
  const overrides = { stateDirectory: state, natsUrl: nats, listen, advertise, leaseMs, ops, insecure };
  const settings = loadSettings(coordinatorSettings, config, overrides);
  const stateDirectory = resolve(settings.stateDirectory);
  await runCoordinatorProcess({ ...settings, stateDirectory }, context.log, context.signal, (address) => {
    if (context.json) context.printJson({ ready: "coordinator", address });
    else context.print(`coordinator listens on ${address}`);
  });
}
