// `amalgam evaluator`
import { hostname } from "node:os";
import { runEvaluatorProcess } from "@amalgam/evaluator/main";
import type { CommandContext } from "../context.ts";
import { defaultThreads, EVALUATOR_CACHE_BYTES } from "../roles/local.ts";

export interface EvaluatorCommandOptions {
  readonly nats: string;
  readonly id?: string;
  readonly threads?: number;
  readonly slots: number;
  readonly ops?: string;
}

export async function run(context: CommandContext, options: EvaluatorCommandOptions): Promise<void> {
  const evaluatorId = options.id ?? `${hostname()}-${process.pid}`;
  const config = {
    evaluatorId,
    natsUrl: options.nats,
    threads: options.threads ?? defaultThreads(),
    slots: options.slots,
    cacheBytes: EVALUATOR_CACHE_BYTES,
    ops: options.ops,
  };
  await runEvaluatorProcess(config, context.log, context.signal, () => {
    if (context.json) context.printJson({ ready: "evaluator" });
    else context.print(`evaluator ${evaluatorId} takes evaluations`);
  });
}
