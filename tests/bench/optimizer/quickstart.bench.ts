// The quickstart's search by each solver: 30 trials on validation, then the recommended point once on test, which no solver saw.
//   npx node tests/bench/optimizer/quickstart.bench.ts [--solvers ours,NAME..] [--seeds 5 | 3-7] [--results FILE] [--venv DIRECTORY | --python PYTHON]
//     [--table] [--markdown]
// Options as those of optimizer.bench.ts. Prints the mean test accuracy over seeds with its standard error, and what the first
// solver's exceeds each other's by, seed by seed.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Values } from "@amalgam/optimizer";
import { parseBenchOptions, seedsOf, solversOf } from "./options.ts";
import { closePeers } from "./peer.ts";
import { openMerge } from "./quickstart-merge.ts";
import { type QuickstartRow, quickstartTable, readQuickstartRows } from "./quickstart-rows.ts";
import { simulateCluster } from "./simulate.ts";
import { createSolver } from "./solvers.ts";
import { asMarkdown, asText } from "./table.ts";

const options = parseBenchOptions({ seeds: "5", solvers: "ours" });
const solvers = solversOf(options.solvers);
const seeds = seedsOf(options.seeds);
const rows = options.results === undefined ? [] : readQuickstartRows(options.results);
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
      const solver = createSolver(name, { dimensions, goal: {}, seed, replicates: false, python: options.python });
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

const shown = rows.filter(({ seed }) => seeds.includes(seed));
process.stdout.write(`${(options.markdown ? asMarkdown : asText)(quickstartTable(solvers, shown))}\n`);
