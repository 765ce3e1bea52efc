// All solvers by name.

import type { BenchCase } from "./cases.ts";
import { createOurs, isOurs, ours } from "./ours.ts";
import { createPeer, isPeer, peers } from "./peer.ts";
import type { Solver, SolverOptions } from "./solver.ts";

export const solverNames: readonly string[] = [...ours, ...peers];

/** BoTorch is set up for boxes and one score, and Optuna's CMA-ES has no fronts. */
export function canSolve(name: string, { problem, goal }: BenchCase): boolean {
  if (name === "optuna-cmaes") return goal.objective?.kind !== "pareto";
  return name !== "botorch" || (goal.metrics === undefined && problem.dimensions.every(({ kind }) => kind === "float"));
}

/** Throws on an unknown name, and for a peer without an interpreter. */
export function createSolver(name: string, options: SolverOptions): Solver {
  if (isOurs(name)) return createOurs(name, options);
  if (!isPeer(name)) throw new Error(`no solver is called "${name}"; there are ${solverNames.join(", ")}`);
  if (options.python === undefined) throw new Error(`${name} needs --python, an interpreter with its packages`);
  return createPeer(options.python, name, options);
}
