/**
 * Which answers of an item an estimate differentiates, and how much the square of each counts. With `l` the log-likelihoods of the item's
 * answers and `p = softmax(l)` held constant (DF-Merge, arXiv 2504.18992; Matena and Raffel, arXiv 2111.09832):
 *
 * - exact: all answers, weight p_c: the expectation over what the model itself would answer;
 * - sampled: one answer drawn from p, weight 1: the same in expectation, for the price of one backward pass;
 * - empirical: the labelled answer, weight 1. Not the Fisher information, but what many call it (Kunstner et al., arXiv 1905.12558).
 */

export const estimators = ["exact", "sampled", "empirical"] as const;
export type Estimator = (typeof estimators)[number];

/** One backward pass: the gradient of this answer's log-likelihood, whose square counts `weight`. */
export interface Answer {
  readonly answer: number;
  readonly weight: number;
}

export interface Drawn {
  /** Index of the labelled answer. */
  readonly truth: number;
  /** A uniform number in [0, 1). */
  readonly uniform: number;
}

/** @param logLikelihoods of the item's answers, not necessarily normalised, all finite */
export function answersOf(
  estimator: Estimator,
  logLikelihoods: ArrayLike<number>,
  { truth, uniform }: Drawn,
): Answer[] {
  if (estimator === "empirical") return [{ answer: truth, weight: 1 }];
  const chances = softmax(logLikelihoods);
  if (estimator === "sampled") return [{ answer: draw(chances, uniform), weight: 1 }];
  return chances.map((weight, answer) => ({ answer, weight })).filter(({ weight }) => weight > 0);
}

function softmax(values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  const largest = Math.max(...list);
  const exponentials = list.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** The first answer whose cumulative chance exceeds the uniform number; the last possible one where rounding leaves none. */
function draw(chances: readonly number[], uniform: number): number {
  let cumulative = 0;
  let last = 0;
  for (const [answer, chance] of chances.entries()) {
    if (chance === 0) continue;
    cumulative += chance;
    last = answer;
    if (uniform < cumulative) return answer;
  }
  return last;
}
