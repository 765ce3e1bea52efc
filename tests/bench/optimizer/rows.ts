// Results: one JSON line for each search. A file of them can be gone on with, and put together from several runs.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Found } from "./simulate.ts";

export interface Row extends Found {
  readonly case: string;
  readonly solver: string;
  readonly seed: number;
}

export const keyOf = ({ case: name, solver, seed }: Pick<Row, "case" | "solver" | "seed">): string =>
  `${name} ${solver} ${seed}`;

const rounded = (values: readonly number[]): number[] => values.map((value) => Math.round(value * 100) / 100);

export function appendRow(file: string, row: Row): void {
  const line = { ...row, askWallMs: rounded(row.askWallMs), askCpuMs: rounded(row.askCpuMs) };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** All rows of a file, none if there is no such file; of rows with the same key the last one. */
export function readRows(file: string): Row[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  const rows = lines.map((line) => JSON.parse(line) as Row);
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}
