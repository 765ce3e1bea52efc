/** Classification: the largest logit among those of the task's labels. */

import { noScores, scoreClassification } from "../score.ts";
import { itemsOf } from "../tasks/datasets.ts";
import type { Measure } from "./measure.ts";

export const classification: Measure<"classification"> = {
  misfits(task, { model, tokenizer }) {
    const { kind, architecture, labels = 0, maxTokens = Number.MAX_SAFE_INTEGER } = model;
    if (kind !== "sequence-classification") {
      return [`task ${task.name}: ${architecture} has no head that classifies texts: ${insteadOf(kind)}`];
    }
    const problems: string[] = [];
    const end = task.labelOffset + task.labels.length;
    if (end > labels) {
      const range = `${task.labelOffset} to ${end - 1}`;
      problems.push(`task ${task.name}: its labels are logits ${range}, but config.json's id2label has ${labels}`);
    }
    if (task.maxTokens > maxTokens) {
      const most = `config.json's max_position_embeddings is ${maxTokens}`;
      problems.push(`task ${task.name}: max_tokens is ${task.maxTokens}, but ${most}`);
    }
    if (task.maxTokens <= (tokenizer?.specialTokens ?? 0)) {
      problems.push(`task ${task.name}: max_tokens is ${task.maxTokens}, which the special tokens fill already`);
    }
    return problems;
  },

  async score({ task, name, split, part }, weights, { runner, datasets }, signal) {
    const { items, batches } = await datasets.prepared(task, name, part, async () => {
      const items = itemsOf(split, part);
      return { items, batches: datasets.batches(await datasets.encode(items, task.maxTokens)) };
    });
    if (items.length === 0) return noScores("accuracy");
    const rows = await runner.logits(weights, batches, signal);
    const labelled = rows.map((logits, item) => ({ logits, label: items[item]!.label }));
    const slice = { offset: task.labelOffset, labels: task.labels.length };
    return scoreClassification(labelled, slice, (item) => items[item]!.place);
  },
};

function insteadOf(kind: string): string {
  const written = "score it by `kind: multiple_choice`, with the labels as choices";
  if (kind === "causal-lm" || kind === "seq2seq-lm") return written;
  return kind === "masked-lm"
    ? "take a checkpoint of its ...ForSequenceClassification"
    : "it takes images: `kind: image_classification`";
}
