// Results: one JSON line for each entry of each family and seed. A file of them can be gone on with.
import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** Test scores by task, fractions. */
export type TaskScores = Readonly<Record<string, number>>;

export interface Measured {
  readonly family: string;
  readonly seed: number;
  readonly entry: string;
  readonly scores: TaskScores;
  /** Of the test scores. */
  readonly mean: number;
  /** Of searches: of the chosen trial, what was chosen, and every trial's validation score in order. */
  readonly validation?: number;
  readonly coefficients?: Readonly<Record<string, number>>;
  readonly curve?: readonly number[];
  readonly seconds?: number;
  /** Of rows of DF-Merge's final table: how far DF-Merge is ahead, by the items that both answered. */
  readonly behind?: { readonly difference: number; readonly standardError: number } | undefined;
}

const keyOf = ({ family, seed, entry }: Measured): string => `${family} ${seed} ${entry}`;

/** All rows of a file, none if there is no such file; of rows with the same key the last one. */
export function readResults(file: string): Measured[] {
  if (!existsSync(file)) return [];
  const rows = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return [...new Map(rows.map((row) => JSON.parse(row) as Measured).map((row) => [keyOf(row), row])).values()];
}

const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

export function appendResult(file: string, row: Measured): void {
  appendFileSync(file, `${JSON.stringify(row, rounded)}\n`);
}
