// One search on a simulated cluster: `workers` evaluations in flight, each taking between 0.5 and 1.5 units of time, told
// in the order in which they finish.

import { coordinates, evaluationStream } from "@amalgam/optimizer/testing";
import type { BenchCase } from "./cases.ts";
import type { Solver } from "./solver.ts";

/** What one search found. All scores are true ones, which the search does not see where there is noise. */
export interface Found {
  /** The score of every evaluated point, in the order of completion. */
  readonly scores: readonly number[];
  /** The score of the recommended point, by the number of completed evaluations. */
  readonly recommended: Readonly<Record<number, number>>;
  /** Simulated time of the last completion. */
  readonly makespan: number;
  /** Milliseconds of each ask. */
  readonly askWallMs: readonly number[];
  readonly askCpuMs: readonly number[];
}

export async function simulate(
  { problem, workers, checkpoints }: BenchCase,
  solver: Solver,
  seed: number,
): Promise<Found> {
  const budget = checkpoints.at(-1)!;
  const running: { id: number; x: number[]; finish: number }[] = [];
  const scores: number[] = [];
  const recommended: Record<number, number> = {};
  const askWallMs: number[] = [];
  const askCpuMs: number[] = [];
  let now = 0;
  while (scores.length < budget) {
    while (running.length < workers && scores.length + running.length < budget) {
      const { id, values, wallMs, cpuMs } = await solver.ask();
      const finish = now + 0.5 + evaluationStream(seed, id).uniform();
      running.push({ id, x: coordinates(problem, values), finish });
      askWallMs.push(wallMs);
      askCpuMs.push(cpuMs);
    }
    const next = running.reduce((a, b) => (b.finish < a.finish ? b : a));
    running.splice(running.indexOf(next), 1);
    now = next.finish;
    const noise = evaluationStream(seed, next.id);
    noise.uniform(); // The duration.
    await solver.tell(next.id, problem.observe(next.x, noise));
    scores.push(problem.score(next.x));
    if (checkpoints.includes(scores.length)) {
      recommended[scores.length] = problem.score(coordinates(problem, await solver.recommend()));
    }
  }
  return { scores, recommended, makespan: now, askWallMs, askCpuMs };
}
