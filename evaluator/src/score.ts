/** From logits to a score: pure arithmetic, no model and no text. */

import { EvaluatorError } from "./errors.ts";

/** Scores of items, whatever the task. */
export interface ItemScores {
  readonly items: number;
  /** What is measured: `accuracy`, `exact_match`, `perplexity`, or a command's own. */
  readonly metric: string;
  /** What a search maximises: the share of items that are right, the mean log-likelihood of a token in nats, or what a command says. */
  readonly score: number;
  readonly standardError: number;
  /** Mean loss: in nats, of the right label, choice or token; of answers that are right or wrong, the share of wrong ones. */
  readonly loss: number;
  /** What each item brought; their mean is the score. Bytes are ones and zeros: right and wrong. Undefined where a command does not say. */
  readonly perItem: Uint8Array | Float32Array | undefined;
}

export interface Labelled {
  /** All of the model's logits for one item. */
  readonly logits: Float32Array;
  /** Index of the true label within the task's labels. */
  readonly label: number;
}

/** The score of no items: what a part of few items may come to. */
export const noScores = (metric: string): ItemScores => ({
  items: 0,
  metric,
  score: 0,
  standardError: 0,
  loss: 0,
  perItem: metric === "perplexity" ? new Float32Array(0) : new Uint8Array(0),
});

/**
 * Scores items on the labels `[offset, offset + labels)` of a head, or on all; other logits play no part. Of equal logits the first wins.
 * `place` names an item in errors.
 * @throws EvaluatorError when a logit of the task is not finite, naming the item, or when there are no items.
 */
export function scoreClassification(
  rows: readonly Labelled[],
  slice: { readonly offset: number; readonly labels: number } | undefined,
  place: (item: number) => string,
): ItemScores {
  if (rows.length === 0) throw new EvaluatorError("there are no items to score");
  const perItem = new Uint8Array(rows.length);
  let correct = 0;
  let loss = 0;
  rows.forEach(({ logits, label }, item) => {
    const task = slice === undefined ? logits : logits.subarray(slice.offset, slice.offset + slice.labels);
    if (!task.every(Number.isFinite)) {
      throw new EvaluatorError(
        `${place(item)}: non-finite logits (${task.join(", ")}): the weights hold NaN, infinite or huge values`,
      );
    }
    const best = task.reduce((top, logit, index) => (logit > task[top]! ? index : top), 0);
    perItem[item] = best === label ? 1 : 0;
    correct += perItem[item]!;
    loss += crossEntropy(task, label, task[best]!);
  });
  const items = rows.length;
  return {
    items,
    metric: "accuracy",
    score: correct / items,
    standardError: standardError(correct, items),
    loss: loss / items,
    perItem,
  };
}

/** `log sum exp(logits) - logits[label]`, shifted by the largest logit so that nothing overflows. */
function crossEntropy(logits: Float32Array, label: number, largest: number): number {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Math.log(sum) + largest - logits[label]!;
}

/**
 * Scores texts by the log-likelihoods of their tokens: the score is the mean over all tokens, in nats. What an item brings is its log-likelihood over
 * the number of tokens that an item of the split has on average, so that the mean of the items is the score, of a whole split and of its parts.
 * The standard error is that of a ratio of two means, with the texts as the independent samples; of one text it is that of its tokens as if they
 * were independent and exponentially distributed.
 * @param meanCount tokens of an item of the whole split, on average
 */
export function scoreTokens(
  logLikelihoods: readonly number[],
  counts: readonly number[],
  meanCount: number,
): ItemScores {
  const items = logLikelihoods.length;
  if (items === 0) throw new EvaluatorError("there are no items to score");
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const perItem = Float32Array.from(logLikelihoods, (value) => value / meanCount);
  const score = sum(logLikelihoods) / meanCount / items;
  const ofTokens = sum(logLikelihoods) / sum(counts);
  const residuals = logLikelihoods.map((value, item) => ((value - ofTokens * counts[item]!) / meanCount) ** 2);
  const standardError =
    items > 1 ? Math.sqrt(sum(residuals) / (items - 1) / items) : Math.abs(ofTokens) / Math.sqrt(counts[0]!);
  return { items, metric: "perplexity", score, standardError, loss: -score, perItem };
}

/** Scores items that are right or wrong; the loss is the share of those that are wrong. */
export function scoreMatches(metric: string, right: readonly boolean[]): ItemScores {
  const items = right.length;
  if (items === 0) throw new EvaluatorError("there are no items to score");
  const perItem = Uint8Array.from(right, Number);
  const correct = perItem.reduce((total, one) => total + one, 0);
  const score = correct / items;
  return { items, metric, score, standardError: standardError(correct, items), loss: 1 - score, perItem };
}

/**
 * Standard error of a proportion, `sqrt(p (1 - p) / n)`. With all items right or all wrong that would be zero, a certainty that no finite
 * sample gives and that would make an optimiser trust one lucky point forever; there p is Laplace's `(correct + 1) / (n + 2)` instead.
 */
export function standardError(correct: number, items: number): number {
  const certain = correct === 0 || correct === items;
  const p = certain ? (correct + 1) / (items + 2) : correct / items;
  return Math.sqrt((p * (1 - p)) / items);
}
