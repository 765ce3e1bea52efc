// A process that runs searches one after another, as its parent sends them.

import { cases } from "./cases.ts";
import { closePeers, createPeer, isPeer } from "./peer.ts";
import type { Row } from "./rows.ts";
import { simulate } from "./simulate.ts";
import { createOurs, isOurs, type Solver } from "./solver.ts";

export interface Search {
  readonly case: string;
  readonly solver: string;
  readonly seed: number;
  /** A Python interpreter with the peers' packages. */
  readonly python?: string | undefined;
}

function createSolver({ case: name, solver, seed, python }: Search): Solver {
  const one = cases.find((candidate) => candidate.name === name)!;
  if (isOurs(solver)) return createOurs(solver, one, seed);
  if (isPeer(solver) && python !== undefined) return createPeer(python, solver, one, seed);
  throw new Error(`no solver "${solver}"${isPeer(solver) ? " without a Python interpreter" : ""}`);
}

process.on("message", async (search: Search) => {
  const { case: name, solver, seed } = search;
  const one = cases.find((candidate) => candidate.name === name)!;
  const found = await simulate(one, createSolver(search), seed);
  process.send!({ case: name, solver, seed, ...found } satisfies Row);
});
process.on("disconnect", closePeers);
