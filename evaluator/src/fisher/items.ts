/** The items of a split that an estimate looks at: which they are, their texts as the model takes them, and what their answers are. */

import { EvaluatorError } from "../errors.ts";
import { beginOf, createReading } from "../measures/continuations.ts";
import { tokensRead, windowTokens } from "../measures/language.ts";
import type { Bench } from "../measures/measure.ts";
import { encodeChoices } from "../measures/multiple-choice.ts";
import { windowsOf } from "../measures/perplexity.ts";
import type { Encoding } from "../session/batches.ts";
import type { Placed } from "../tasks/datasets.ts";
import { itemsOfPart, type Part, WHOLE } from "../tasks/pieces.ts";
import type { Split, Task } from "../tasks/task.ts";
import type { ChoiceExample, Example, PromptExample, TextExample } from "../tasks/task-data.ts";
import type { ImageExample } from "../tasks/task-images.ts";
import type { TextTokenizer } from "../tasks/tokenize.ts";
import type { FisherItem, FisherSample } from "./answer-chooser.ts";
import type { Estimator } from "./answers.ts";
import { answerDraws, sampleItems } from "./draws.ts";
import type { AnswerHead } from "./programs.ts";

/** N of DF-Merge (arXiv 2504.18992). */
export const defaultItems = 30;

/** The estimator that is taken where none is named: an expectation where the answers can be gone through, a draw where they are all texts. */
export const defaultEstimator = ({ kind }: Pick<Task, "kind">): Estimator =>
  kind === "perplexity" || kind === "generation" ? "sampled" : "exact";

export interface SampleOptions {
  /** How many items are drawn, without replacement; all where there are fewer. 30 by default, as in DF-Merge. */
  readonly items?: number | undefined;
  /** Which items and, with `sampled`, which answers are drawn; 0 by default. */
  readonly seed?: number | undefined;
  /** Looks at these of the drawn items only; all by default. */
  readonly part?: Part | undefined;
}

/** @throws EvaluatorError for a task that no model is differentiated for, or a text whose ids the model does not have. */
export async function readSample(
  bench: Bench,
  task: Task,
  split: Split,
  { items = defaultItems, seed = 0, part = WHOLE }: SampleOptions,
): Promise<FisherSample> {
  const drawn = sampleItems(split.examples.length, items, seed, task.name);
  const indexes = itemsOfPart(drawn.length, part).map((index) => drawn[index]!);
  const { answered, ...sample } = await readAnswers(bench, task, split, indexes);
  const draws = (at: number) => (count: number) => answerDraws(seed, task.name, indexes[at]!, count);
  return { ...sample, task: task.name, items: answered.map((item, at) => ({ ...item, draws: draws(at) })) };
}

interface Answers extends Omit<FisherSample, "items" | "task"> {
  readonly answered: readonly Omit<FisherItem, "draws">[];
}

async function readAnswers(bench: Bench, task: Task, split: Split, indexes: readonly number[]): Promise<Answers> {
  const chosen = <E extends { readonly line: number }>(examples: readonly E[]): (E & Placed)[] =>
    indexes.map((index) => ({ ...examples[index]!, place: `${split.path}:${examples[index]!.line}` }));
  const { datasets, runner } = bench;
  switch (task.kind) {
    case "classification": {
      const items = chosen(split.examples as readonly Example[]);
      const encodings = await datasets.encode(items, task.maxTokens);
      return {
        head: labelHead(task, bench),
        openEnded: false,
        answered: items.map(({ place, label }, at) => ({ place, truth: label, texts: [encodings[at]!] })),
      };
    }
    case "image_classification": {
      const items = indexes.map((index) => (split.examples as readonly ImageExample[])[index]!);
      const images = await bench.images!.read(items);
      return {
        head: labelHead(task, bench),
        openEnded: false,
        answered: items.map(({ place, label }, at) => ({ place, truth: label, texts: [images[at]!] })),
      };
    }
    case "multiple_choice": {
      const items = chosen(split.examples as readonly ChoiceExample[]);
      const encodings = (await encodeChoices(task, items, bench)).values();
      const answered = items.map(({ place, label, choices }) => {
        return { place, truth: label, texts: choices.map(() => encodings.next().value!) };
      });
      return { head: { kind: "tokens" }, openEnded: false, answered };
    }
    case "perplexity": {
      const size = windowTokens(task, runner.model);
      const items = chosen(split.examples as readonly TextExample[]);
      const encodings = await datasets.encodeEach(items, ({ text, place }) => [
        firstWindow(datasets.tokenizer, text, { size, addSpecialTokens: task.addSpecialTokens, place }),
      ]);
      return openEnded(items, encodings);
    }
    case "generation": {
      const items = chosen(split.examples as readonly PromptExample[]);
      const read = createReading(runner.model, datasets.tokenizer, {
        maxTokens: tokensRead(task, runner.model),
        addSpecialTokens: task.addSpecialTokens,
        weight: (targets) => 1 / targets,
      });
      const encodings = await datasets.encodeEach(items, ({ prompt, answers, place }) => [
        read(prompt, answers[0]!, place),
      ]);
      return openEnded(items, encodings);
    }
    case "command":
      throw new EvaluatorError(`task ${task.name}: a command cannot be differentiated: name a task of another kind`);
  }
}

function labelHead(
  { labelOffset, labels }: { readonly labelOffset: number; readonly labels: readonly string[] },
  { runner }: Bench,
): AnswerHead {
  return { kind: "labels", offset: labelOffset, labels: labels.length, classes: runner.model.labels! };
}

function openEnded(items: readonly Placed[], encodings: readonly Encoding[]): Answers {
  const answered = items.map(({ place }, at) => ({ place, truth: 0, texts: [encodings[at]!] }));
  return { head: { kind: "tokens" }, openEnded: true, answered };
}

/** The mean log-likelihood of the tokens of a text, as many of them as the model reads at once. */
function firstWindow(
  tokenizer: TextTokenizer,
  text: string,
  { size, addSpecialTokens, place }: { readonly size: number; readonly addSpecialTokens: boolean } & Placed,
): Encoding {
  const tokens = tokenizer.ids(text);
  if (tokens.length === 0) throw new EvaluatorError(`${place}: the text has no token`);
  const begin = beginOf(tokenizer, addSpecialTokens, [], place);
  const [window] = windowsOf([...begin, ...tokens], begin.length, { size, stride: size });
  const { ids, weights } = window!.targets!;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { ...window!, targets: { ids, weights: weights.map((weight) => weight / total) } };
}
