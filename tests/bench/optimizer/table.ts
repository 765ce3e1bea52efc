// Medians and quartiles over seeds, as text or Markdown.

import type { BenchCase } from "./cases.ts";
import type { Row } from "./rows.ts";
import { basinTargets, targets } from "./targets.ts";

export type Table = readonly (readonly string[])[];

/** Linear interpolation between order statistics. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const low = sorted[Math.floor(position)]!;
  return low + (position - Math.floor(position)) * (sorted[Math.ceil(position)]! - low);
}

/** Optimum minus the best score of the first `completed` evaluations, or minus that of the point recommended then. */
export function regretAt({ problem, isNoisy }: BenchCase, row: Row, completed: number): number {
  const best = isNoisy ? row.recommended[completed]! : Math.max(...row.scores.slice(0, completed));
  return ("score" in problem ? problem.optimum : 1) - best;
}

const short = (value: number): string => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e4)) return value.toExponential(1);
  return String(Number(value.toPrecision(2)));
};

function spread(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => short(quantile(values, q)));
  return `${middle} [${low}, ${high}] (${values.length})`;
}

/** A row for each case and checkpoint, a column for each solver: median [quartiles] (searches) of regret. */
export function regretTable(cases: readonly BenchCase[], solvers: readonly string[], rows: readonly Row[]): Table {
  const of = (name: string, solver: string): Row[] => rows.filter((row) => row.case === name && row.solver === solver);
  return [
    ["regret", ...solvers],
    ...cases.flatMap((one) =>
      one.checkpoints.map((completed) => [
        `${one.name} @ ${completed}${one.isNoisy ? " (recommended)" : ""}`,
        ...solvers.map((solver) => spread(of(one.name, solver).map((row) => regretAt(one, row, completed)))),
      ]),
    ),
  ];
}

/** The share of searches that reached the global basin, where a case says how to tell. */
export function basinTable(cases: readonly BenchCase[], solvers: readonly string[], rows: readonly Row[]): Table {
  return [
    ["in the global basin", ...solvers],
    ...cases.flatMap((one) =>
      one.basinRegret === undefined
        ? []
        : one.checkpoints.map((completed) => [
            `${one.name} @ ${completed}`,
            ...solvers.map((solver) => {
              const regrets = rows
                .filter((row) => row.case === one.name && row.solver === solver)
                .map((row) => regretAt(one, row, completed));
              const found = regrets.filter((regret) => regret < one.basinRegret!).length;
              return regrets.length === 0 ? "-" : `${Math.round((100 * found) / regrets.length)} %`;
            }),
          ]),
    ),
  ];
}

/** Each target beside the medians (searches): ours, whether that reaches it, the other solvers', and what was known before. */
export function targetTable(cases: readonly BenchCase[], others: readonly string[], rows: readonly Row[]): Table {
  const regrets = (name: string, solver: string, completed: number): number[] => {
    const one = cases.find((candidate) => candidate.name === name)!;
    const of = rows.filter((row) => row.case === name && row.solver === solver);
    return of.map((row) => regretAt(one, row, completed));
  };
  const cell = (values: readonly number[]): string =>
    values.length === 0 ? "-" : `${short(quantile(values, 0.5))} (${values.length})`;
  return [
    ["median regret (seeds)", "target", "Amalgam", "reached", ...others, "measured before"],
    ...targets.map(({ case: name, completed, regret, measuredBefore }) => {
      const found = regrets(name, "bayesian", completed);
      const ratio = quantile(found, 0.5) / regret;
      return [
        `${name} @ ${completed}`,
        `≤ ${short(regret)}`,
        cell(found),
        found.length === 0 ? "-" : ratio <= 1 ? "yes" : `no, ${short(ratio)} times`,
        ...others.map((solver) => cell(regrets(name, solver, completed))),
        measuredBefore,
      ];
    }),
    ...basinTargets.map(({ case: name, completed, regret: share, measuredBefore }) => {
      const { basinRegret } = cases.find((candidate) => candidate.name === name)!;
      const found = (solver: string): number[] =>
        regrets(name, solver, completed).map((regret) => (regret < basinRegret! ? 1 : 0));
      const shareOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
      const shown = (values: readonly number[]): string =>
        values.length === 0 ? "-" : `${Math.round(100 * shareOf(values))} % (${values.length})`;
      const own = found("bayesian");
      return [
        `${name} @ ${completed}, in the global basin`,
        `≥ ${100 * share} %`,
        shown(own),
        own.length === 0 ? "-" : shareOf(own) >= share ? "yes" : "no",
        ...others.map((solver) => shown(found(solver))),
        measuredBefore,
      ];
    }),
  ];
}

/** Milliseconds of an ask, wall and CPU: median / 95th percentile over all asks of all seeds. */
export function latencyTable(cases: readonly BenchCase[], solvers: readonly string[], rows: readonly Row[]): Table {
  const both = (ms: readonly number[]): string => `${short(quantile(ms, 0.5))} / ${short(quantile(ms, 0.95))}`;
  return [
    ["ms per ask: wall p50 / p95, CPU p50 / p95", ...solvers],
    ...cases.map((one) => [
      one.name,
      ...solvers.map((solver) => {
        const of = rows.filter((row) => row.case === one.name && row.solver === solver);
        if (of.length === 0) return "-";
        return `${both(of.flatMap(({ askWallMs }) => askWallMs))}, ${both(of.flatMap(({ askCpuMs }) => askCpuMs))}`;
      }),
    ]),
  ];
}

export function asText(table: Table): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, k) => cell.padEnd(widths[k]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function asMarkdown([head, ...body]: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head!), line(head!.map((_, k) => (k === 0 ? "---" : "---:"))), ...body.map(line)].join("\n");
}
