// A search on a simulated cluster: `workers` evaluations in flight, each taking between 0.5 and 1.5 units of time, told in
// the order in which they finish.

import type { Outcome, Values } from "@amalgam/optimizer";
import { coordinates, evaluationStream, type FrontProblem, hypervolume } from "@amalgam/optimizer/testing";
import type { BenchCase } from "./cases.ts";
import type { Asked, Solver } from "./solver.ts";

/** What one search found. All scores are true ones, which the search does not see where there is noise. */
export interface Found {
  /** The score of every evaluated point, in the order of completion; of a front, the share of it known by then. */
  readonly scores: readonly number[];
  /** Where there is noise: the score of the recommended point, by the number of completed evaluations. */
  readonly recommended: Readonly<Record<number, number>>;
  /** Milliseconds of each ask. */
  readonly askWallMs: readonly number[];
  readonly askCpuMs: readonly number[];
}

/** Asks and tells until `budget` evaluations are told, and yields each as it is.. */
export async function* simulateCluster(
  solver: Solver,
  { workers, budget, seed }: { readonly workers: number; readonly budget: number; readonly seed: number },
  evaluate: (values: Values, id: number) => Outcome | Promise<Outcome>,
): AsyncGenerator<Asked, void> {
  const running: { asked: Asked; finish: number }[] = [];
  let now = 0;
  for (let completed = 0; completed < budget; completed++) {
    while (running.length < workers && completed + running.length < budget) {
      const asked = await solver.ask();
      running.push({ asked, finish: now + 0.5 + evaluationStream(seed, asked.id).uniform() });
    }
    const next = running.reduce((a, b) => (b.finish < a.finish ? b : a));
    running.splice(running.indexOf(next), 1);
    now = next.finish;
    const { id, values } = next.asked;
    await solver.tell(id, await evaluate(values, id));
    yield next.asked;
  }
}

export async function search(one: BenchCase, solver: Solver, seed: number): Promise<Found> {
  const { problem, workers, checkpoints } = one;
  const observe = (values: Values, id: number): Outcome => {
    const noise = evaluationStream(seed, id);
    noise.uniform(); // The duration.
    return problem.observe(coordinates(problem, values), noise);
  };
  const scoreOf = (values: Values): number => {
    const x = coordinates(problem, values);
    return "score" in problem ? problem.score(x) : 0;
  };
  const asked: Asked[] = [];
  const recommended: Record<number, number> = {};
  for await (const each of simulateCluster(solver, { workers, budget: checkpoints.at(-1)!, seed }, observe)) {
    asked.push(each);
    if (one.isNoisy && checkpoints.includes(asked.length)) {
      recommended[asked.length] = scoreOf(await solver.recommend());
    }
  }
  const points = asked.map(({ values }) => values);
  return {
    scores: "score" in problem ? points.map(scoreOf) : coverage(problem, points),
    recommended,
    askWallMs: asked.map(({ wallMs }) => wallMs),
    askCpuMs: asked.map(({ cpuMs }) => cpuMs),
  };
}

/** The share of the true front's hypervolume that the first points have, after each point. */
function coverage(problem: FrontProblem, points: readonly Values[]): number[] {
  const values = points.map((point) => problem.values(coordinates(problem, point)));
  return values.map((_, k) => {
    const known = Float64Array.from(values.slice(0, k + 1).flat());
    return hypervolume(known, problem.reference) / problem.hypervolume;
  });
}
