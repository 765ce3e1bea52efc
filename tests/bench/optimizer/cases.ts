// What is measured: problems with a budget and a number of workers. `protocol` has the problems that the optimizer's
// targets are about; `heldOut` has problems that nothing was tuned on, and nothing may be.

import type { Dimension, StudySpec } from "@amalgam/optimizer";
import {
  ackley,
  bbob,
  branin,
  dtlz2,
  embedded,
  type FrontProblem,
  griewank,
  hartmann6,
  levy,
  type MergeLike,
  mergeGroups,
  mergeKept,
  mergeLike,
  michalewicz5,
  type Problem,
  recipeLike,
  rosenbrock,
  styblinskiTang,
  weightsLike,
  withKnownNoise,
  withNoise,
  zdt,
} from "@amalgam/optimizer/testing";

export interface BenchCase {
  readonly name: string;
  readonly problem: Problem<Dimension> | FrontProblem;
  /** What a study is told of it beside the dimensions. */
  readonly goal: Goal;
  /** Evaluations in flight. */
  readonly workers: number;
  /** Completed evaluations after which regrets are reported; the last is the budget. */
  readonly checkpoints: readonly number[];
  /** Regret is that of the recommended point ("inference"), because the best observed one is not known to be good. */
  readonly isNoisy: boolean;
  /** Below this regret a point lies in the basin of the global optimum. */
  readonly basinRegret?: number;
}

/** What solvers maximise (the mean of the metrics unless they are traded off) and must keep. */
export type Goal = Pick<StudySpec, "metrics" | "objective" | "constraints">;

function single(
  name: string,
  problem: Problem<Dimension>,
  checkpoints: readonly number[],
  rest: Partial<BenchCase> = {},
): BenchCase {
  return { name, problem, goal: {}, workers: 1, checkpoints, isNoisy: false, ...rest };
}

function front(name: string, problem: FrontProblem, budget: number, workers: number): BenchCase {
  const goal: Goal = { metrics: problem.metrics, objective: { kind: "pareto" } };
  return { name, problem, goal, workers, checkpoints: [budget], isNoisy: false };
}

function kept(name: string, merge: MergeLike, atLeast: number, optimum: number, budget: number): BenchCase {
  const problem = mergeKept(merge, atLeast, optimum);
  const { metrics } = problem;
  const goal: Goal = { metrics, constraints: metrics.map((metric) => ({ metric, atLeast })) };
  return { name, problem, goal, workers: 4, checkpoints: [budget], isNoisy: true };
}

const basinRegret = 0.08; // Hartmann 6 has its second best basin at a regret of 0.089.
const merge8 = mergeLike(8, 100, { optimum: 0.5329703606619405 });
const merge32 = mergeLike(4, 200, { groups: 8, optimum: 0.5106445376800157 });

export const protocol: readonly BenchCase[] = [
  single("branin2", branin, [25, 30, 50]),
  single("hartmann6", hartmann6, [50, 100], { basinRegret }),
  single("hartmann6_noisy0.2", withNoise(hartmann6, 0.2), [50, 100], { isNoisy: true }),
  single("hartmann6_async8", hartmann6, [75, 120], { workers: 8, basinRegret }),
  single("merge8_n100_async4", merge8, [50, 100], { workers: 4, isNoisy: true }),
  single("michalewicz5", michalewicz5(), [100]),
  single("ackley10", ackley(10, -5, 10), [150]),
  single("levy10", levy(10, -5, 10), [150]),
  single("rosenbrock6", rosenbrock(6, -5, 10), [120]),
  single("hartmann6_in30", embedded(hartmann6, 30, [3, 29, 11, 17, 8, 22]), [150], { basinRegret }),
  single("merge32_n200", merge32, [50, 150], { isNoisy: true }),
];

export const heldOut: readonly BenchCase[] = [
  single("sphere4 (f1)", bbob(1, 4, 1), [40]),
  single("rosenbrock5 (f8)", bbob(8, 5, 2), [100]),
  single("ellipsoid5 (f10)", bbob(10, 5, 3), [100]),
  single("rastrigin5 (f15)", bbob(15, 5, 4), [100]),
  single("schwefel5 (f20)", bbob(20, 5, 5), [100]),
  single("gallagher4 (f21)", bbob(21, 4, 6), [100]),
  single("griewank6", griewank(6, -20, 30), [80]),
  single("styblinski6", styblinskiTang(6), [80]),
  single("recipe_mixed5", recipeLike(), [50]),
  single("weights_simplex6", weightsLike(), [50]),
  single("hartmann6_async32", hartmann6, [120], { workers: 32, basinRegret }),
  single("hartmann6_known_noise", withKnownNoise(hartmann6, 0.01, 1), [100], { isNoisy: true }),
  single("merge4_n200", mergeLike(4, 200, { seed: 777, optimum: 0.5126879301638485 }), [30], {
    workers: 2,
    isNoisy: true,
  }),
  single("merge8_n100_other", mergeLike(8, 100, { seed: 999, optimum: 0.40856386978897313 }), [50], {
    workers: 4,
    isNoisy: true,
  }),
  single("merge24_n100", mergeLike(6, 100, { groups: 4, seed: 4242, optimum: 0.42426863738875187 }), [100], {
    workers: 4,
    isNoisy: true,
  }),
  // Further instances of the two above that were looked at after all.
  single("rosenbrock5_unseen (f8)", bbob(8, 5, 12), [100]),
  single("merge24_n100_unseen", mergeLike(6, 100, { groups: 4, seed: 90210, optimum: 0.4612501776000853 }), [100], {
    workers: 4,
    isNoisy: true,
  }),
];

/** Several objectives, of which the regret is the share of the true front's hypervolume that is missing; and bounds. */
export const fronts: readonly BenchCase[] = [
  front("zdt1_6", zdt(1, 6), 50, 1),
  front("zdt2_6", zdt(2, 6), 50, 1),
  front("dtlz2_3of6", dtlz2(3, 6), 60, 1),
  front("merge8_2groups_async4", mergeGroups(8, 100, 2, [0.3, 0.3], 0.0812), 60, 4),
  kept("merge4_each_at_least_0.42", mergeLike(4, 200, { seed: 31 }), 0.42, 0.5276965140591117, 50),
];

export const cases: readonly BenchCase[] = [...protocol, ...heldOut, ...fronts];
