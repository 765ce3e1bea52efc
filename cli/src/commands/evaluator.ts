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
  readonly slots?: number;
  readonly ops?: string;
}

export async function run(context: CommandContext, options: EvaluatorCommandOptions): Promise<void> {
  const { config, nats, id, threads, provider, slots, ops } = options;
  const settings = loadSettings(evaluatorSettings, config, { natsUrl: nats, id, threads, provider, slots, ops });
  await runEvaluatorProcess(settings, context.log, context.signal, () => {
    if (context.json) context.printJson({ ready: "evaluator" });
    else context.print("evaluator takes evaluations");
  });
}
