// All solvers by name.

import { createOurs, isOurs, ours } from "./ours.ts";
import { createPeer, isPeer, peers } from "./peer.ts";
import type { Solver, SolverOptions } from "./solver.ts";

export const solverNames: readonly string[] = [...ours, ...peers];

/** Throws on an unknown name, and for a peer without an interpreter. */
export function createSolver(name: string, options: SolverOptions): Solver {
  if (isOurs(name)) return createOurs(name, options);
  if (!isPeer(name)) throw new Error(`no solver is called "${name}"; there are ${solverNames.join(", ")}`);
  if (options.python === undefined) throw new Error(`${name} needs --python, an interpreter with its packages`);
  return createPeer(options.python, name, options);
}
