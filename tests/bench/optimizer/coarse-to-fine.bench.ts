// Does it help to begin with few numbers? The searches over layer groups of the benchmark, all coefficients from the first
// trial on, and from coarse to fine: a twentieth of the trials with one number for all, three tenths with one for each task.
//   nice npx node tests/bench/optimizer/coarse-to-fine.bench.ts [--seeds 12 | 3-7]
// Prints a line for each pair of searches, and medians [quartiles] of the regret of the recommended point.

import { createStudy, type Stage } from "@amalgam/optimizer";
import { type BenchCase, cases } from "./cases.ts";
import { parseBenchOptions, seedsOf } from "./options.ts";
import { driving } from "./ours.ts";
import type { Row } from "./rows.ts";
import { search } from "./simulate.ts";
import { asText, regretAt, regretTable } from "./table.ts";

/** Problems by their number of tasks: dimension `group * tasks + task`. */
const layered: readonly { readonly name: string; readonly tasks: number }[] = [
  { name: "merge32_n200", tasks: 4 },
  { name: "merge24_n100", tasks: 6 },
];
const solvers = ["all at once", "coarse to fine"];

const options = parseBenchOptions({ seeds: "12", solvers: "ours" });
const chosen = layered.map(({ name, tasks }) => {
  const found = cases.find((one) => one.name === name)!;
  const budget = found.checkpoints.at(-1)!;
  return {
    tasks,
    budget,
    one: { ...found, checkpoints: [...new Set([50, 75, 100, budget])].filter((n) => n <= budget) },
  };
});
const rows: Row[] = [];
for (const seed of seedsOf(options.seeds)) {
  for (const { one, tasks, budget } of chosen) {
    const { dimensions } = one.problem;
    const stage = (name: string, share: number, tie: (index: number) => string): Stage => ({
      name,
      trials: Math.round(share * budget),
      ties: Object.fromEntries(dimensions.map((dimension, index) => [dimension.name, tie(index)])),
    });
    const stages = [stage("scale", 0.05, () => "scale"), stage("model", 0.3, (index) => `model${index % tasks}`)];
    for (const solver of solvers) {
      const spec = { dimensions, seed, replicates: one.isNoisy, stages: solver === solvers[0] ? [] : stages };
      const study = createStudy(spec);
      const row = { case: one.name, solver, seed, ...(await search(one, driving(study), seed)) };
      rows.push(row);
      process.stderr.write(`${one.name}, ${solver}, seed ${seed}: ${regretAt(one, row, budget).toFixed(4)}\n`);
    }
  }
}
const searched: readonly BenchCase[] = chosen.map(({ one }) => one);
process.stdout.write(`${asText(regretTable(searched, solvers, rows))}\n`);
