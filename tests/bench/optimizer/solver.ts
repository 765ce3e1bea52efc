// What a benchmark drives: anything that is asked and told. Latencies are measured where the work is done.

import type { Dimension, Outcome, Values } from "@amalgam/optimizer";
import type { Goal } from "./cases.ts";

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

export interface SolverOptions {
  readonly dimensions: readonly Dimension[];
  readonly goal: Goal;
  readonly seed: number;
  /** Evaluating a point again draws new noise. */
  readonly replicates: boolean;
  /** The peers' interpreter. */
  readonly python?: string | undefined;
}
