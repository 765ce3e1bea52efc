// Numbers of the report as people read them. Pure, and without the machine's locale.

import { scaleOf } from "@amalgam/runtime";

const MINUS = "\u2212";

/** What a score is as tables show it: an accuracy as `71.2`, a log-likelihood as its perplexity. */
export const shown = ({ value, metric }: Pick<Estimate, "value" | "metric">): string =>
  typographic(scaleOf(metric).shown(value));

/** The standard error of what is shown. */
export const shownError = ({ value, standardError, metric }: Estimate): string =>
  scaleOf(metric).shownError(value, standardError);

/** With its standard error: `71.2 ± 0.5`. */
export const withError = (estimate: Estimate): string => `${shown(estimate)} ± ${shownError(estimate)}`;

/** With its unit: `71.2 ± 0.5 %`. */
export const withUnit = (estimate: Estimate): string => `${withError(estimate)}${scaleOf(estimate.metric).unit}`;

/** A difference of scores, without its sign: `2.3 ± 0.7 points`. */
export function sizeWithError({ value, standardError, metric }: Estimate): string {
  const { difference: text, differenceUnit } = scaleOf(metric);
  return `${text(Math.abs(value))} ± ${text(standardError)}${differenceUnit}`;
}

/** A difference of scores, always with its sign: `+2.3 ± 0.7`. */
export function signedWithError({ value, standardError, metric }: Estimate): string {
  const { difference: text } = scaleOf(metric);
  return `${value >= 0 ? "+" : MINUS}${text(Math.abs(value))} ± ${text(standardError)}`;
}

/** A share in percent: `71.2`. */
export const percent = (fraction: number): string => signed(100 * fraction, 1);

/** A coefficient: three decimals, or three significant digits where these would show nothing. */
export const coefficient = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(2).replaceAll("-", MINUS) : signed(value, 3);

const signed = (value: number, decimals: number): string => typographic(value.toFixed(decimals));

/** A number, or several in words, with signs as they are printed; zero has none. */
export const typographic = (text: string): string =>
  Number(text) === 0 ? text.replace("-", "") : text.replaceAll("-", MINUS);

/** A measured score with one standard error, or a difference of two. */
export interface Estimate {
  /** What is measured; empty where that differs between tasks. */
  readonly metric: string;
  readonly value: number;
  readonly standardError: number;
}

/** Difference of two measurements taken as independent. */
export const difference = (a: Estimate, b: Estimate): Estimate => ({
  metric: a.metric,
  value: a.value - b.value,
  standardError: Math.hypot(a.standardError, b.standardError),
});

/** Whether a difference is less than two of its standard errors. */
export const isNoise = ({ value, standardError }: Estimate): boolean => Math.abs(value) < 2 * standardError;
