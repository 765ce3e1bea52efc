// `amalgam evaluator`
import { runEvaluatorProcess } from "@amalgam/evaluator/main";
import { evaluatorSettings } from "@amalgam/evaluator/settings";
import type { CommandContext } from "../context.ts";
import { loadSettings } from "../roles/settings.ts";

export interface EvaluatorCommandOptions {
  readonly config?: string;
  readonly nats?: string;
  readonly id?: string;
  readonly threads?: number;
  readonly provider?: string;
  readonly allowCommands?: boolean;
  readonly slots?: number;
  readonly listen?: string;
  readonly advertise?: string;
  readonly ops?: string;
  readonly insecure?: boolean;
}

export async function run(context: CommandContext, options: EvaluatorCommandOptions): Promise<void> {
  const { config, nats, ...own } = options;
  const { id, threads, provider, allowCommands, slots, listen, advertise, ops, insecure } = own;
  const overrides = { natsUrl: nats, id, threads, provider, allowCommands, slots, listen, advertise, ops, insecure };
  const settings = loadSettings(evaluatorSettings, config, overrides);
  await runEvaluatorProcess(settings, context.log, context.signal, (address) => {
    if (context.json) context.printJson({ ready: "evaluator", address });
    else context.print(`evaluator takes evaluations, and serves estimates on ${address}`);
  });
}
