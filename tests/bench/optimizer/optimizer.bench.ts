// The optimizer on test problems with known optima, beside random search, Optuna and BoTorch, on a simulated cluster.
//   npm run bench:optimizer -- [--cases protocol,held-out,fronts,NAME..] [--solvers ours,peers,NAME..] [--seeds 20 | 3-7]
//     [--results FILE] [--processes 1] [--venv DIRECTORY | --python PYTHON] [--table] [--markdown]
// Prints medians [quartiles] over seeds. --results appends each search to a file of JSON lines and does not repeat what is
// in it; --table only prints what is there. Peers run in --venv, an environment with the packages
// of peers.txt that is made there if it is missing, or by the interpreter that --python names.

import { cases, fronts, heldOut, protocol } from "./cases.ts";
import { chosen, parseBenchOptions, seedsOf, solversOf } from "./options.ts";
import { runSearches } from "./pool.ts";
import { appendRow, keyOf, type Row, readRows } from "./rows.ts";
import { canSolve } from "./solvers.ts";
import { asMarkdown, asText, basinTable, latencyTable, regretTable } from "./table.ts";

const options = parseBenchOptions({ seeds: "20", solvers: "ours" });
const wantedCases = chosen(
  options.cases,
  { protocol, "held-out": heldOut, fronts, all: cases },
  cases,
  ({ name }) => name,
);
const solvers = solversOf(options.solvers);

const rows = new Map<string, Row>(
  options.results === undefined ? [] : readRows(options.results).map((row) => [keyOf(row), row]),
);
// Seed by seed, so that a run that is cut short has something of everything.
const searches = seedsOf(options.seeds).flatMap((seed) =>
  wantedCases.flatMap((one) =>
    solvers
      .filter((solver) => canSolve(solver, one))
      .map((solver) => ({ case: one.name, solver, seed, python: options.python })),
  ),
);
const missing = options.table ? [] : searches.filter((search) => !rows.has(keyOf(search)));
let done = 0;
await runSearches(missing, Number(options.processes), (row) => {
  rows.set(keyOf(row), row);
  if (options.results !== undefined) appendRow(options.results, row);
  process.stderr.write(`${++done}/${missing.length} ${keyOf(row)}\n`);
});

const wanted = searches.map(keyOf).flatMap((key) => rows.get(key) ?? []);
const format = options.markdown ? asMarkdown : asText;
for (const table of [regretTable, basinTable, latencyTable]) {
  process.stdout.write(`${format(table(wantedCases, solvers, wanted))}\n\n`);
}
