// Numbers of the report as people read them. Pure, and without the machine's locale.

const MINUS = "\u2212";

/** Accuracy in percent: `71.2`. */
export const percent = (fraction: number): string => signed(100 * fraction, 1);

/** With its standard error: `71.2 ± 0.5`. */
export const percentWithError = ({ value, standardError }: Estimate): string =>
  `${percent(value)} ± ${percent(standardError)}`;

/** A difference in percentage points, always with its sign: `+2.3 ± 0.7`. */
export const pointsWithError = ({ value, standardError }: Estimate): string =>
  `${value >= 0 ? "+" : ""}${percent(value)} ± ${percent(standardError)}`;

/** A coefficient: three decimals, or three significant digits where these would show nothing. */
export const coefficient = (value: number): string =>
  value !== 0 && Math.abs(value) < 0.01 ? value.toExponential(2).replaceAll("-", MINUS) : signed(value, 3);

function signed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", MINUS);
}

/** A measured fraction with one standard error. */
export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** Difference of two measurements taken as independent. */
export const difference = (a: Estimate, b: Estimate): Estimate => ({
  value: a.value - b.value,
  standardError: Math.hypot(a.standardError, b.standardError),
});

/** Whether a difference is less than two of its standard errors. */
export const isNoise = ({ value, standardError }: Estimate): boolean => Math.abs(value) < 2 * standardError;
