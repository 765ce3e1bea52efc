/**
 * Multiple choice by rank classification: the continuation to which a language model gives the highest log-likelihood, for each token of it or as
 * their sum. Of equal ones the first wins.
 */

import { noScores, scoreClassification } from "../score.ts";
import type { Encoding } from "../session/batches.ts";
import { requireFinite } from "../session/model-runner.ts";
import { itemsOf, type Placed } from "../tasks/datasets.ts";
import type { TaskOf } from "../tasks/task.ts";
import type { ChoiceExample } from "../tasks/task-data.ts";
import { createReading } from "./continuations.ts";
import { languageMisfits, tokensRead } from "./language.ts";
import type { Bench, Measure, Portion } from "./measure.ts";

export const multipleChoice: Measure<"multiple_choice"> = {
  misfits: (task, subject) => languageMisfits(task, subject, ["causal-lm", "seq2seq-lm"]),

  async score(portion, weights, bench, signal) {
    const { items, batches } = await prepared(portion, bench);
    if (items.length === 0) return noScores("accuracy");
    const likelihoods = await bench.runner.logLikelihoods(weights, batches, signal);
    let next = 0;
    const rows = items.map(({ choices, label, place }) => {
      const row = Float32Array.from(choices, () => likelihoods[next++]!);
      requireFinite(row, "log-likelihoods", place);
      return { logits: row, label };
    });
    return scoreClassification(rows, undefined, (item) => items[item]!.place);
  },
};

function prepared({ task, name, split, part }: Portion<"multiple_choice">, bench: Bench) {
  return bench.datasets.prepared(task, name, part, async () => {
    const items = itemsOf(split, part);
    return { items, batches: bench.datasets.batches(await encodeChoices(task, items, bench)) };
  });
}

/** The choices of all items, in their order. */
export function encodeChoices(
  task: TaskOf<"multiple_choice">,
  items: readonly (ChoiceExample & Placed)[],
  { runner, datasets }: Bench,
): Promise<Encoding[]> {
  const read = createReading(runner.model, datasets.tokenizer, {
    maxTokens: tokensRead(task, runner.model),
    addSpecialTokens: task.addSpecialTokens,
    weight: weightOf(task),
  });
  return datasets.encodeEach(items, ({ prompt, choices, place }) =>
    choices.map((choice) => read(prompt, choice, place)),
  );
}

const weightOf = ({ normalize }: TaskOf<"multiple_choice">): ((targets: number) => number) =>
  normalize === "length" ? (targets) => 1 / targets : () => 1;
