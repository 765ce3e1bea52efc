// The optimizer on test problems with known optima, beside random search, Optuna and BoTorch, on a simulated cluster.
//   npm run bench:optimizer -- [--cases protocol,held-out,NAME..] [--solvers ours,peers,NAME..] [--seeds 20 | 3-7]
//     [--results FILE] [--processes 1] [--python PYTHON] [--markdown] [--table]
// Prints medians [quartiles] over seeds. --results appends each search to a file of JSON lines and does not repeat what is
// in it; --table only prints what is there. Peers need --python: an interpreter with the packages of peers.txt.

import { parseArgs } from "node:util";
import { type BenchCase, cases, heldOut, protocol } from "./cases.ts";
import { peers } from "./peer.ts";
import { runSearches } from "./pool.ts";
import { appendRow, keyOf, type Row, readRows } from "./rows.ts";
import { ours } from "./solver.ts";
import { asMarkdown, asText, basinTable, latencyTable, regretTable } from "./table.ts";

const { values: options } = parseArgs({
  options: {
    cases: { type: "string", default: "protocol" },
    solvers: { type: "string", default: "ours" },
    seeds: { type: "string", default: "20" },
    results: { type: "string" },
    processes: { type: "string", default: "1" },
    python: { type: "string" },
    markdown: { type: "boolean", default: false },
    table: { type: "boolean", default: false },
  },
});

/** The named members, where a name may also stand for a group. */
function chosen<T>(text: string, groups: Readonly<Record<string, readonly T[]>>, find: (name: string) => T[]): T[] {
  const list = text.split(",").flatMap((name) => {
    const found = groups[name] ?? find(name);
    if (found.length === 0) throw new Error(`nothing is called "${name}"`);
    return found;
  });
  return [...new Set(list)];
}

const wantedCases = chosen<BenchCase>(options.cases, { protocol, "held-out": heldOut, all: cases }, (name) =>
  cases.filter((one) => one.name === name),
);
const solvers = chosen<string>(options.solvers, { ours, peers, all: [...ours, ...peers] }, (name) =>
  [...ours, ...peers].filter((solver) => solver === name),
);
const [from, to] = options.seeds.includes("-") ? options.seeds.split("-").map(Number) : [1, Number(options.seeds)];
const seeds = Array.from({ length: to! - from! + 1 }, (_, k) => from! + k);

const rows = new Map<string, Row>(
  options.results === undefined ? [] : readRows(options.results).map((row) => [keyOf(row), row]),
);
// Seed by seed, so that a run that is cut short has something of everything.
const searches = seeds.flatMap((seed) =>
  wantedCases.flatMap(({ name }) => solvers.map((solver) => ({ case: name, solver, seed, python: options.python }))),
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
