// The quickstart's search by each solver: 30 trials on validation, then the recommended point once on test, which no solver saw.
//   npx node tests/bench/optimizer/quickstart.bench.ts [--solvers ours,NAME..] [--seeds 5 | 3-7] [--results FILE] [--python PYTHON]
//     [--table] [--markdown]
// Options as those of optimizer.bench.ts. Prints the mean test accuracy over seeds with its standard error, and what the first
// solver's exceeds each other's by, seed by seed.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Values } from "@amalgam/optimizer";
import { parseBenchOptions, seedsOf, solversOf } from "./options.ts";
import { closePeers } from "./peer.ts";
import { openMerge } from "./quickstart-merge.ts";
import { simulateCluster } from "./simulate.ts";
import { createSolver } from "./solvers.ts";
import { asMarkdown, asText, quantile, type Table } from "./table.ts";

interface QuickstartRow {
  readonly solver: string;
  readonly seed: number;
  readonly recommended: Values;
  readonly validation: number;
  readonly test: number;
  /** The best validation accuracy of all trials: what a search that believes its luck reports. */
  readonly bestValidation: number;
}

const options = parseBenchOptions({ seeds: "5", solvers: "ours" });
const solvers = solversOf(options.solvers);
const seeds = seedsOf(options.seeds);
const rows: QuickstartRow[] =
  options.results === undefined || !existsSync(options.results)
    ? []
    : readFileSync(options.results, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as QuickstartRow);
const has = (solver: string, seed: number): boolean => rows.some((row) => row.solver === solver && row.seed === seed);

if (!options.table) {
  await using merge = await openMerge(join(import.meta.dirname, "../../../examples/quickstart/recipe.yaml"));
  const { dimensions, trials, parallel } = merge;
  const known = new Map<string, Outcome>();
  const score = async (values: Values, split: string): Promise<Outcome> => {
    const key = JSON.stringify([split, dimensions.map(({ name }) => values[name])]);
    const outcome = known.get(key) ?? (await merge.score(values, split));
    known.set(key, outcome);
    return outcome;
  };
  for (const seed of seeds) {
    for (const name of solvers.filter((solver) => !has(solver, seed))) {
      const solver = createSolver(name, { dimensions, seed, replicates: false, python: options.python });
      const cluster = { workers: parallel, budget: trials, seed };
      const scores: number[] = [];
      const evaluate = async (values: Values): Promise<Outcome> => {
        const outcome = await score(values, "validation");
        scores.push(outcome.values[0]!);
        return outcome;
      };
      for await (const _ of simulateCluster(solver, cluster, evaluate));
      const recommended = await solver.recommend();
      const [validation, test] = [await score(recommended, "validation"), await score(recommended, "test")];
      const row: QuickstartRow = {
        solver: name,
        seed,
        recommended,
        validation: validation.values[0]!,
        test: test.values[0]!,
        bestValidation: Math.max(...scores),
      };
      rows.push(row);
      if (options.results !== undefined) appendFileSync(options.results, `${JSON.stringify(row)}\n`);
      process.stderr.write(`${name} ${seed}: validation ${row.validation.toFixed(4)}, test ${row.test.toFixed(4)}\n`);
    }
  }
  closePeers();
}

const percent = (value: number): string => (100 * value).toFixed(2);

function meanOf(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return `${percent(mean)} +- ${percent(Math.sqrt(variance / values.length))}`;
}

const first = solvers[0]!;
const table: Table = [
  ["accuracy, %", "seeds", "validation", "test", "test, quartiles", `${first} is above by`],
  ...solvers.map((solver) => {
    const of = rows.filter((row) => row.solver === solver && seeds.includes(row.seed));
    const differences = of.flatMap(({ seed, test }) => {
      const paired = rows.find((row) => row.solver === first && row.seed === seed);
      return paired === undefined ? [] : [paired.test - test];
    });
    const tests = of.map(({ test }) => test);
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
process.stdout.write(`${(options.markdown ? asMarkdown : asText)(table)}\n`);
