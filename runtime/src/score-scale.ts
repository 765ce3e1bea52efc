/**
 * How scores are written for people. A score is what a search maximises, so more is always better; what is shown may be another number
 * of it: a fraction in percent, a mean log-likelihood as the perplexity that it is of. Pure.
 */

export interface ScoreScale {
  /** What the score is: `accuracy`, `log-likelihood of a token`. */
  readonly name: string;
  /** What `shown` gives: `accuracy`, `perplexity`. */
  readonly quantity: string;
  /** The same with its unit: `accuracy, %`. */
  readonly title: string;
  /** What the score itself is, on an axis, where up is better: `accuracy, %`, `log-likelihood, nats`. */
  readonly axis: string;
  /** Scores on that axis are multiplied by this. */
  readonly factor: number;
  /** What follows a shown number in a sentence: ` %`, or nothing. */
  readonly unit: string;
  /** What follows a difference of two scores: ` points`. */
  readonly differenceUnit: string;
  /** `71.2`; of a perplexity `23.41`. */
  shown(score: number): string;
  /** The standard error of what is shown: `0.9`. */
  shownError(score: number, standardError: number): string;
  /** What lies between two scores, as it is shown: `70.1 to 72.3`. */
  interval(low: number, high: number): string;
  /** A difference of two scores, or its standard error: `2.3`. */
  difference(size: number): string;
  /** Where a score lies that differs from another by this: above it or below; of what is better where less is shown, in those words. */
  side(difference: number): string;
}

const title = (metric: string): string => metric.replaceAll("_", " ");

const heights = (difference: number): string => (difference < 0 ? "below" : "above");

const percent = (metric: string): ScoreScale => ({
  name: title(metric),
  quantity: title(metric),
  title: `${title(metric)}, %`,
  axis: `${title(metric)}, %`,
  factor: 100,
  unit: " %",
  differenceUnit: " points",
  shown: (score) => (100 * score).toFixed(1),
  shownError: (_, standardError) => (100 * standardError).toFixed(1),
  interval: (low, high) => `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}`,
  difference: (size) => (100 * size).toFixed(1),
  side: heights,
});

const perplexity: ScoreScale = {
  name: "log-likelihood of a token",
  quantity: "perplexity",
  title: "perplexity",
  axis: "log-likelihood, nats",
  factor: 1,
  unit: "",
  differenceUnit: " nats",
  shown: (score) => significant(Math.exp(-score), 4),
  // exp is nearly a line over a standard error.
  shownError: (score, standardError) => significant(Math.exp(-score) * standardError, 2),
  interval: (low, high) => `${significant(Math.exp(-high), 4)} to ${significant(Math.exp(-low), 4)}`,
  difference: (size) => size.toFixed(3),
  side: (difference) => (difference < 0 ? "worse than" : "better than"),
};

const plain = (metric: string): ScoreScale => ({
  name: title(metric),
  quantity: title(metric),
  title: title(metric),
  axis: title(metric),
  factor: 1,
  unit: "",
  differenceUnit: "",
  shown: (score) => significant(score, 4),
  shownError: (_, standardError) => significant(standardError, 2),
  interval: (low, high) => `${significant(low, 4)} to ${significant(high, 4)}`,
  difference: (size) => significant(size, 3),
  side: heights,
});

/** Metrics that are fractions of the items. */
export const FRACTION_METRICS: readonly string[] = ["accuracy", "exact_match"];

/** The scale of a metric; of one that is not known the number as it is. Empty: several metrics, or none yet. */
export function scaleOf(metric: string): ScoreScale {
  if (FRACTION_METRICS.includes(metric)) return percent(metric);
  return metric === "perplexity" ? perplexity : plain(metric === "" ? "score" : metric);
}

/** `71.2 ±0.9` */
export function formatScore(metric: string, score: number, standardError: number): string {
  const scale = scaleOf(metric);
  return `${scale.shown(score)} ±${scale.shownError(score, standardError)}`;
}

/** Without an exponent where people need none. */
function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits);
  return text.includes("e") && Math.abs(value) < 1e9 && Math.abs(value) >= 1 ? String(Number(text)) : text;
}
