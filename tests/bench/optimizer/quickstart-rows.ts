// Results on the quickstart's search, and their table.

import { existsSync, readFileSync } from "node:fs";
import type { Values } from "@amalgam/optimizer";
import { quantile, type Table } from "./table.ts";

export interface QuickstartRow {
  readonly solver: string;
  readonly seed: number;
  readonly recommended: Values;
  readonly validation: number;
  readonly test: number;
  /** The best validation accuracy of all trials: what a search that believes its luck reports. */
  readonly bestValidation: number;
}

export function readQuickstartRows(file: string): QuickstartRow[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as QuickstartRow);
}

const percent = (value: number): string => (100 * value).toFixed(2);

/** Mean and its standard error. */
function meanOf(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return `${percent(mean)} ± ${percent(Math.sqrt(variance / values.length))}`;
}

/** Accuracies over seeds of each solver, and by how much the first solver's are above its, seed by seed. */
export function quickstartTable(solvers: readonly string[], rows: readonly QuickstartRow[]): Table {
  const [first] = solvers;
  return [
    ["accuracy, %", "seeds", "validation", "test", "test, quartiles", `${first} above it by`],
    ...solvers.map((solver) => {
      const of = rows.filter((row) => row.solver === solver);
      const tests = of.map(({ test }) => test);
      const differences = of.flatMap(({ seed, test }) => {
        const paired = rows.find((row) => row.solver === first && row.seed === seed);
        return paired === undefined ? [] : [paired.test - test];
      });
      return [
        solver,
        String(of.length),
        meanOf(of.map(({ validation }) => validation)),
        meanOf(tests),
        [0.25, 0.5, 0.75].map((q) => (of.length === 0 ? "-" : percent(quantile(tests, q)))).join(" / "),
        solver === first ? "" : meanOf(differences),
      ];
    }),
  ];
}
