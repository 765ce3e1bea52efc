// Problems shaped like a merge: each task's accuracy is a bump over the coefficients that wants its own expert's high
// and the others' low, differently in every layer group.

import type { RandomStream } from "../numerics/rng.ts";
import { mulberry32 } from "./mulberry32.ts";
import { floats, type Problem } from "./problem.ts";

export interface MergeLike extends Problem {
  /** The true accuracy of each task [tasks]. */
  readonly accuracies: (x: readonly number[]) => number[];
  /** What an evaluator counts: the correct answers of each task [tasks] among `items`. */
  readonly count: (x: readonly number[], noise: RandomStream) => number[];
  readonly items: number;
}

export interface MergeLikeOptions {
  /** Layer groups, each with its own coefficients: `tasks` x `groups` dimensions in [0, 1], group by group. */
  readonly groups?: number;
  readonly seed?: number;
  /** The highest mean accuracy in the box, found beforehand. */
  readonly optimum?: number;
}

/**
 * The score is the mean accuracy of `tasks`, each counted on its own `items` validation items: a mean of binomials, with
 * its standard error.
 */
export function mergeLike(
  tasks: number,
  items: number,
  { groups = 1, seed = 12345, optimum = Number.NaN }: MergeLikeOptions = {},
): MergeLike {
  const draw = mulberry32(seed);
  const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
  const floor = list(tasks, () => 0.05 + 0.2 * draw());
  const ceiling = list(tasks, () => 0.65 + 0.3 * draw());
  const share = list(tasks, () => list(groups, () => 0.5 + draw())).map((weights) => {
    const total = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / total);
  });
  const ownCentre = list(tasks, () => list(groups, () => 0.7 + 0.6 * draw()));
  const ownWeight = list(tasks, () => 2 + 2.5 * draw());
  const crossWeight = list(tasks, () => list(tasks, () => 0.2 + 0.9 * draw()));
  const crossCentre = list(tasks, () => list(tasks, () => list(groups, () => -0.15 + 0.35 * draw())));

  const accuracies = (x: readonly number[]): number[] =>
    floor.map((low, task) => {
      let misfit = 0;
      for (let expert = 0; expert < tasks; expert++) {
        const own = expert === task;
        const centre = own ? ownCentre[task]! : crossCentre[task]![expert]!;
        let distance = 0;
        for (let group = 0; group < groups; group++) {
          distance += share[task]![group]! * (x[group * tasks + expert]! - centre[group]!) ** 2;
        }
        misfit += (own ? ownWeight[task]! : crossWeight[task]![expert]!) * distance;
      }
      return low + (ceiling[task]! - low) * Math.exp(-0.5 * misfit);
    });
  const count = (x: readonly number[], noise: RandomStream): number[] =>
    accuracies(x).map((accuracy) => {
      let correct = 0;
      for (let item = 0; item < items; item++) correct += noise.uniform() < accuracy ? 1 : 0;
      return correct;
    });
  return {
    dimensions: floats(tasks * groups, 0, 1),
    optimum,
    accuracies,
    count,
    items,
    score: (x) => accuracies(x).reduce((total, accuracy) => total + accuracy / tasks, 0),
    observe(x, noise) {
      const { value, standardError } = meanAccuracy(count(x, noise), items);
      return { values: [value], standardErrors: [standardError] };
    },
  };
}

/** The mean accuracy of some tasks, and its standard error by Laplace's rule, so that 0 and all correct are not certain. */
export function meanAccuracy(correct: readonly number[], items: number): { value: number; standardError: number } {
  let value = 0;
  let variance = 0;
  for (const count of correct) {
    const smoothed = (count + 1) / (items + 2);
    value += count / items / correct.length;
    variance += (smoothed * (1 - smoothed)) / items / correct.length ** 2;
  }
  return { value, standardError: Math.sqrt(variance) };
}

/**
 * The same merge where every task must keep an accuracy: one metric for each task. Points that break a bound are worth 0.
 * `optimum` is the highest mean accuracy of the points that keep all.
 */
export function mergeKept(
  merge: MergeLike,
  atLeast: number,
  optimum: number,
): Problem & { readonly metrics: string[] } {
  return {
    dimensions: merge.dimensions,
    metrics: merge.accuracies(merge.dimensions.map(() => 0)).map((_, task) => `task${task + 1}`),
    optimum,
    score: (x) => (merge.accuracies(x).every((accuracy) => accuracy >= atLeast) ? merge.score(x) : 0),
    observe(x, noise) {
      const means = merge.count(x, noise).map((correct) => meanAccuracy([correct], merge.items));
      return {
        values: means.map(({ value }) => value),
        standardErrors: means.map(({ standardError }) => standardError),
      };
    },
  };
}
