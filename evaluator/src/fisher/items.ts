/** The items of a split that an estimate looks at: which they are, their texts as the model takes them, and what their answers are. */

import type { Placed } from "../datasets.ts";
import { EvaluatorError } from "../errors.ts";
import type { Bench } from "../measures/measure.ts";
import { encodeChoices } from "../measures/multiple-choice.ts";
import { itemsOfPart, type Part, WHOLE } from "../pieces.ts";
import type { Split, Task } from "../task.ts";
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

/** @throws EvaluatorError for a task whose items have no finite set of answers, or a text whose ids the model does not have. */
export async function readSample(
  bench: Bench,
  task: Task,
  split: Split,
  { items = defaultItems, seed = 0, part = WHOLE }: SampleOptions,
): Promise<FisherSample> {
  const drawn = sampleItems(split.examples.length, items, seed, task.name);
  const indexes = itemsOfPart(drawn.length, part).map((index) => drawn[index]!);
  const { head, answered } = await answersOfTask(bench, task, split, indexes);
  return {
    head,
    items: answered.map((item, at) => ({ ...item, uniform: answerDraws(seed, task.name, indexes[at]!, 1)[0]! })),
  };
}

interface Answers {
  readonly head: AnswerHead;
  readonly answered: readonly Omit<FisherItem, "uniform">[];
}

async function answersOfTask(bench: Bench, task: Task, split: Split, indexes: readonly number[]): Promise<Answers> {
  const name = [...task.splits].find(([, each]) => each === split)![0];
  const chosen = <E extends { readonly line: number }>({
    examples,
  }: {
    readonly examples: readonly E[];
  }): (E & Placed)[] =>
    indexes.map((index) => ({ ...examples[index]!, place: `${split.path}:${examples[index]!.line}` }));
  switch (task.kind) {
    case "classification": {
      const items = chosen(task.splits.get(name)!);
      const encodings = await bench.datasets.encode(items, task.maxTokens);
      return {
        head: { kind: "labels", offset: task.labelOffset, labels: task.labels.length },
        answered: items.map(({ place, label }, index) => ({ place, truth: label, texts: [encodings[index]!] })),
      };
    }
    case "image_classification": {
      const { examples } = task.splits.get(name)!;
      const items = indexes.map((index) => examples[index]!);
      const images = await bench.images!.read(items);
      return {
        head: { kind: "labels", offset: task.labelOffset, labels: task.labels.length },
        answered: items.map(({ place, label }, index) => ({ place, truth: label, texts: [images[index]!] })),
      };
    }
    case "multiple_choice": {
      const items = chosen(task.splits.get(name)!);
      const encodings = await encodeChoices(task, items, bench);
      let next = 0;
      return {
        head: { kind: "tokens" },
        answered: items.map(({ place, label, choices }) => ({
          place,
          truth: label,
          texts: choices.map(() => encodings[next++]!),
        })),
      };
    }
    default:
      throw new EvaluatorError(
        `task ${task.name}: items of a ${task.kind} task have no finite set of answers: estimate on a task of kind classification, image_classification or multiple_choice`,
      );
  }
}
