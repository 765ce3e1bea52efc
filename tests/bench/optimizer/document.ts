// Writes the tables of docs/optimizer.md from result files, between its `<!-- table NAME -->` and `<!-- end -->` lines.
//   npx node tests/bench/optimizer/document.ts --results FILE,FILE.. [--idle FILE] [--quickstart FILE] [DOCUMENT]
// --idle has the rows of a machine with nothing else to do, for latencies.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BenchCase, fronts, heldOut, protocol } from "./cases.ts";
import { quickstartTable, readQuickstartRows } from "./quickstart-rows.ts";
import { keyOf, type Row, readRows } from "./rows.ts";
import { asMarkdown, basinTable, latencyTable, regretTable, type Table, targetTable } from "./table.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { results: { type: "string", default: "" }, idle: { type: "string" }, quickstart: { type: "string" } },
});
const found = options.results.split(",").filter(Boolean).flatMap(readRows);
const rows = [...new Map(found.map((row) => [keyOf(row), row])).values()];
const idle = options.idle === undefined ? [] : readRows(options.idle);
const searches = options.quickstart === undefined ? [] : readQuickstartRows(options.quickstart);

const compared = ["bayesian", "optuna-gp", "optuna-tpe", "optuna-cmaes", "optuna-random", "botorch"];
const own = ["bayesian", "cmaes", "sobol", "grid", "random"];
const present = (solvers: readonly string[], cases: readonly BenchCase[], from: readonly Row[]): string[] =>
  solvers.filter((solver) => from.some((row) => row.solver === solver && cases.some(({ name }) => name === row.case)));
const regrets = (cases: readonly BenchCase[], solvers: readonly string[]): Table =>
  regretTable(cases, present(solvers, cases, rows), rows);

const tables: Readonly<Record<string, () => Table>> = {
  targets: () => targetTable(protocol, present(compared.slice(1), protocol, rows), rows),
  protocol: () => regrets(protocol, compared),
  basins: () => basinTable([...protocol, ...heldOut], present(compared, protocol, rows), rows),
  "held-out": () => regrets(heldOut, compared),
  fronts: () => regrets(fronts, compared),
  own: () => regrets(protocol, own),
  latency: () => latencyTable(protocol, present(compared, protocol, idle), idle),
  quickstart: () => quickstartTable([...new Set(searches.map(({ solver }) => solver))], searches),
};

const path = positionals[0] ?? join(import.meta.dirname, "../../../docs/optimizer.md");
const text = readFileSync(path, "utf8").replace(
  /(<!-- table (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
  (_, begin: string, name: string, end: string) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`${path}: there is no table "${name}"; there are ${Object.keys(tables)}`);
    return `${begin}\n${asMarkdown(table())}\n\n${end}`;
  },
);
writeFileSync(path, text);
