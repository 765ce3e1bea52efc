// A process that runs searches one after another, as its parent sends them.

import { cases } from "./cases.ts";
import { closePeers } from "./peer.ts";
import type { Row } from "./rows.ts";
import { search as run } from "./simulate.ts";
import { createSolver } from "./solvers.ts";

export interface Search {
  readonly case: string;
  readonly solver: string;
  readonly seed: number;
  /** A Python interpreter with the peers' packages. */
  readonly python?: string | undefined;
}

process.on("message", async ({ case: name, solver, seed, python }: Search) => {
  const one = cases.find((candidate) => candidate.name === name)!;
  const { problem, goal, isNoisy } = one;
  const options = { dimensions: problem.dimensions, goal, seed, replicates: isNoisy, python };
  const found = await run(one, createSolver(solver, options), seed);
  process.send!({ case: name, solver, seed, ...found } satisfies Row);
});
process.on("disconnect", closePeers);
