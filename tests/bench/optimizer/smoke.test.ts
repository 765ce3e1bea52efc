// The benchmark on two seeds: what must hold on any seed, and bounds far above what the optimizer reaches.
import { replay, type Study, type StudyEvent } from "@amalgam/optimizer";
import { expect, test } from "vitest";
import { type BenchCase, protocol } from "./cases.ts";
import { driving, type Ours, studyOf } from "./ours.ts";
import { search } from "./simulate.ts";
import { regretAt } from "./table.ts";

const seeds = [1, 2];

interface Searched {
  readonly regret: number;
  readonly study: Study;
}

async function searched(strategy: Ours, one: BenchCase, seed: number): Promise<Searched> {
  const { problem, goal, isNoisy } = one;
  const study = studyOf(strategy, { dimensions: problem.dimensions, goal, seed, replicates: isNoisy });
  const found = await search(one, driving(study), seed);
  const row = { case: one.name, solver: strategy, seed, ...found };
  return { regret: regretAt(one, row, one.checkpoints.at(-1)!), study };
}

const proposals = ({ events }: Study): (StudyEvent & { type: "ask" })[] =>
  events.filter((event) => event.type === "ask");

test.each([
  { name: "branin2", budget: 30, within: 0.05 },
  { name: "hartmann6", budget: 50, within: 0.2 },
  { name: "merge8_n100_async4", budget: 50, within: 0.03 },
])("$name after $budget evaluations: within bounds, better than random and Sobol points, reproducible", async (row) => {
  const one: BenchCase = { ...protocol.find(({ name }) => name === row.name)!, checkpoints: [row.budget] };
  for (const seed of seeds) {
    const { regret, study } = await searched("bayesian", one, seed);
    expect(regret, `seed ${seed}`).toBeLessThanOrEqual(row.within);
    for (const other of ["random", "sobol"] as const) {
      expect(regret, `${other}, seed ${seed}`).toBeLessThan((await searched(other, one, seed)).regret);
    }

    const points = proposals(study).map(({ values }) => values);
    for (const dimension of one.problem.dimensions) {
      if (dimension.kind !== "float") continue;
      for (const values of points) {
        expect(values[dimension.name]).toBeGreaterThanOrEqual(dimension.low);
        expect(values[dimension.name]).toBeLessThanOrEqual(dimension.high);
      }
    }
    if (!one.isNoisy) expect(new Set(points.map((values) => JSON.stringify(values))).size).toBe(row.budget);

    // From the middle of its log, as a journal has it, a search goes on as it did.
    const last = proposals(study).at(-1)!;
    const before = study.events.slice(0, study.events.indexOf(last));
    const again = replay(study.spec, JSON.parse(JSON.stringify(before)) as StudyEvent[]);
    again.ask();
    expect(JSON.stringify(again.events.at(-1))).toBe(JSON.stringify(last));
  }
});
