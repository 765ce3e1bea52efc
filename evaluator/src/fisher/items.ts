/** The items of a split that an estimate looks at: which they are, their texts as the model takes them, and what their answers are. */

import type { Datasets } from "../datasets.ts";
import { itemsOfPart, type Part, WHOLE } from "../pieces.ts";
import { answerDraws, sampleItems } from "./draws.ts";
import type { FisherItem } from "./estimate.ts";
import type { AnswerHead } from "./programs.ts";

/** N of DF-Merge (arXiv 2504.18992). */
export const defaultItems = 30;

export interface SampleOptions {
  /** How many items are drawn, without replacement; all where there are fewer. 30 by default, as in DF-Merge. */
  readonly items?: number | undefined;
  /** Which items and, with `sampled`, which answers are drawn; 0 by default. */
  readonly seed?: number | undefined;
  /** Looks at these of the drawn items only; all by default. */
  readonly part?: Part | undefined;
}

export interface FisherSample {
  readonly head: AnswerHead;
  readonly items: readonly FisherItem[];
}

/** @throws EvaluatorError for a task or split that does not exist, or a text whose ids the model does not have. */
export async function readSample(
  datasets: Datasets,
  taskName: string,
  splitName: string,
  { items = defaultItems, seed = 0, part = WHOLE }: SampleOptions,
): Promise<FisherSample> {
  const { task, split } = datasets.find(taskName, splitName);
  const drawn = sampleItems(split.examples.length, items, seed, task.name);
  const indexes = itemsOfPart(drawn.length, part).map((index) => drawn[index]!);
  const examples = indexes.map((index) => ({
    ...split.examples[index]!,
    place: `${split.path}:${split.examples[index]!.line}`,
  }));
  const encodings = await datasets.encode(examples, task.maxTokens);
  return {
    head: { kind: "labels", offset: task.labelOffset, labels: task.labels.length },
    items: examples.map(({ place, label }, index) => ({
      place,
      truth: label,
      texts: [encodings[index]!],
      uniform: answerDraws(seed, task.name, indexes[index]!, 1)[0]!,
    })),
  };
}
