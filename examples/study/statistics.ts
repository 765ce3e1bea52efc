// Means over seeds with their standard errors.
import type { Measured } from "./results.ts";

export interface Estimate {
  readonly value: number;
  /** NaN from one value. */
  readonly standardError: number;
}

export function meanOf(values: readonly number[]): Estimate {
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const variance = values.reduce((sum, one) => sum + (one - value) ** 2, 0) / (values.length - 1);
  return { value, standardError: Math.sqrt(variance / values.length) };
}

/** One entry of one family, over the seeds that have it. */
export interface Group {
  readonly entry: string;
  readonly rows: readonly Measured[];
}

export function groupsOf(rows: readonly Measured[], family: string, entries: readonly string[]): Group[] {
  return entries
    .map((entry) => ({ entry, rows: rows.filter((row) => row.family === family && row.entry === entry) }))
    .filter((group) => group.rows.length > 0);
}

/** How far `ahead` is before `behind` in the mean test score, seed by seed, over the seeds that have both. */
export function lead(ahead: Group, behind: Group): Estimate {
  return meanOf(
    behind.rows.flatMap((row) => {
      const other = ahead.rows.find(({ seed }) => seed === row.seed);
      return other === undefined ? [] : [other.mean - row.mean];
    }),
  );
}

/** The same by items: each seed's difference is known up to its sample of test items. */
export function leadByItems({ rows }: Group): Estimate | undefined {
  const known = rows.flatMap(({ behind }) => (behind === undefined ? [] : [behind]));
  if (known.length === 0) return undefined;
  return {
    value: known.reduce((sum, { difference }) => sum + difference, 0) / known.length,
    standardError: Math.hypot(...known.map(({ standardError }) => standardError)) / known.length,
  };
}

/** The best score so far after each trial. */
export const bestSoFar = (curve: readonly number[]): number[] =>
  curve.map((_, index) => Math.max(...curve.slice(0, index + 1)));
