// What a benchmark drives: anything that is asked and told. Latencies are measured where the work is done.

import { createStudy, type Outcome, type Values } from "@amalgam/optimizer";
import type { BenchCase } from "./cases.ts";

export interface Asked {
  readonly id: number;
  readonly values: Values;
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface Solver {
  ask(): Promise<Asked>;
  tell(id: number, outcome: Outcome): Promise<void>;
  /** The point to use, were the search to end here. */
  recommend(): Promise<Values>;
}

export const ours = ["bayesian"] as const;
export type Ours = (typeof ours)[number];
export const isOurs = (name: string): name is Ours => (ours as readonly string[]).includes(name);

export function createOurs(_strategy: Ours, { problem }: BenchCase, seed: number): Solver {
  const study = createStudy({ dimensions: problem.dimensions, seed });
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
