/**
 * Cuts the chosen answers of a range of items into runs of the squares' program. A pure function of the answers and the limits, so that the
 * same squares are added in the same order on every machine.
 */

import { type Batch, type BatchLimits, feedsOf, type ModelInput, makeBatches } from "../session/batches.ts";
import { float32, type Tensors } from "../session/program.ts";
import type { Answer } from "./answers.ts";
import { type AnswerHead, cotangentName, headFeeds } from "./programs.ts";

type LabelHead = AnswerHead & { readonly kind: "labels" };

export interface AnsweredItem<Text extends ModelInput = ModelInput> {
  /** One text that has all answers where they are labels, else a text for each answer. */
  readonly texts: readonly Text[];
  readonly answers: readonly Answer[];
}

export function runsOf(head: AnswerHead, items: readonly AnsweredItem[], limits: BatchLimits): Tensors[] {
  if (head.kind === "tokens") {
    const rows = items.flatMap(({ texts, answers }) =>
      answers.map(({ answer, weight }) => ({ text: texts[answer]!, weight })),
    );
    return makeBatches(
      rows.map(({ text }) => text),
      limits,
    ).map((batch) => ({
      ...feedsOf(batch),
      [cotangentName]: float32(
        [batch.items.length],
        Float32Array.from(batch.items, (row) => Math.sqrt(rows[row]!.weight)),
      ),
    }));
  }
  // A text with several answers is read once for all of them; texts with one answer each are read together.
  const [several, single] = [items.filter(isSeveral), items.filter((item) => !isSeveral(item))];
  const batches = makeBatches(
    single.map(({ texts }) => texts[0]!),
    limits,
  );
  return [
    ...several.flatMap((item) => runsOfOneText(item, head, limits)),
    ...batches.map((batch) =>
      labelRun(
        batch,
        batch.items.map((row) => single[row]!.answers[0]!),
        head,
      ),
    ),
  ];
}

const isSeveral = ({ answers }: AnsweredItem): boolean => answers.length > 1;

function runsOfOneText({ texts, answers }: AnsweredItem, head: LabelHead, limits: BatchLimits): Tensors[] {
  const [batch] = makeBatches(texts, limits);
  const rows = Math.max(1, Math.min(limits.items, Math.floor(limits.tokens / batch!.tokens)));
  return Array.from({ length: Math.ceil(answers.length / rows) }, (_, run) =>
    labelRun(batch!, answers.slice(run * rows, (run + 1) * rows), head),
  );
}

function labelRun(batch: Batch, answers: readonly Answer[], head: LabelHead): Tensors {
  const { offset, classes } = head;
  const cotangent = new Float32Array(answers.length * classes);
  for (const [row, { answer, weight }] of answers.entries()) {
    cotangent[row * classes + offset + answer] = Math.sqrt(weight);
  }
  return { ...feedsOf(batch), ...headFeeds(head), [cotangentName]: float32([answers.length, classes], cotangent) };
}
