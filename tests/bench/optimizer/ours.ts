// Our strategies as solvers.

import { createStudy, type Study } from "@amalgam/optimizer";
import type { Solver, SolverOptions } from "./solver.ts";

export const ours = ["bayesian", "cmaes", "sobol", "grid", "random"] as const;
export type Ours = (typeof ours)[number];
export const isOurs = (name: string): name is Ours => (ours as readonly string[]).includes(name);

export const studyOf = (strategy: Ours, { dimensions, goal, seed, replicates }: SolverOptions): Study =>
  createStudy({ dimensions, ...goal, seed, replicates, strategy });

export const createOurs = (strategy: Ours, options: SolverOptions): Solver => driving(studyOf(strategy, options));

export function driving(study: Study): Solver {
  return {
    async ask() {
      const before = process.cpuUsage();
      const startedMs = performance.now();
      const { id, values } = study.ask();
      const wallMs = performance.now() - startedMs;
      const { user, system } = process.cpuUsage(before);
      return { id, values, wallMs, cpuMs: (user + system) / 1000 };
    },
    async tell(id, outcome) {
      study.tell(id, outcome);
    },
    async recommend() {
      return study.recommend()!.values;
    },
  };
}
