/** What tasks of language models have in common. */

import type { BuiltModel, ModelKind } from "../graph/families/family.ts";
import type { Subject } from "../subject.ts";
import type { Task } from "../tasks/task.ts";
import { manyTokens } from "./measure.ts";

/** The most tokens that a task lets the model read. */
export const tokensRead = (
  { maxTokens }: { readonly maxTokens: number | undefined },
  model: Pick<BuiltModel, "maxTokens">,
): number => maxTokens ?? model.maxTokens ?? manyTokens;

/** A long window's logits over a large vocabulary take gigabytes: 2048 tokens of 128,000 one, and their probabilities another. */
const windowDefault = 1024;

/** The tokens that a window over texts has. */
export const windowTokens = (
  { maxTokens }: { readonly maxTokens: number | undefined },
  model: Pick<BuiltModel, "maxTokens">,
): number => maxTokens ?? Math.min(model.maxTokens ?? windowDefault, windowDefault);

const names: Partial<Record<ModelKind, string>> = { "causal-lm": "causal", "seq2seq-lm": "sequence-to-sequence" };

/** Why a model cannot do a task of language models. */
export function languageMisfits(
  task: Extract<Task, { readonly maxTokens: number | undefined }>,
  { model }: Pick<Subject, "model">,
  kinds: readonly ModelKind[],
): string[] {
  if (!kinds.includes(model.kind)) {
    const needed = kinds.map((kind) => names[kind]!).join(" or ");
    return [
      `task ${task.name}: ${task.kind} needs a ${needed} language model, which ${model.architecture} is not${hint(model)}`,
    ];
  }
  if (task.maxTokens === undefined || model.maxTokens === undefined || task.maxTokens <= model.maxTokens) return [];
  return [`task ${task.name}: max_tokens is ${task.maxTokens}, but the model takes ${model.maxTokens} tokens`];
}

const hint = ({ kind }: BuiltModel): string =>
  kind === "sequence-classification" ? ": use `kind: classification`" : "";
