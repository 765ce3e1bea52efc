// Problems with several metrics and a front of trade-offs between them. Metrics are maximised.

import type { RandomStream } from "../numerics/rng.ts";
import type { FloatDimension } from "../space/dimensions.ts";
import type { Outcome } from "../study/events.ts";
import { meanAccuracy, mergeLike } from "./merge-like.ts";
import { floats } from "./problem.ts";

export interface FrontProblem {
  readonly dimensions: readonly FloatDimension[];
  readonly metrics: readonly string[];
  /** True values of the metrics. */
  readonly values: (x: readonly number[]) => number[];
  readonly observe: (x: readonly number[], noise: RandomStream) => Outcome;
  /** Where hypervolumes begin, and that of the whole true front. */
  readonly reference: readonly number[];
  readonly hypervolume: number;
}

const exactly = (
  objectives: number,
  dimension: number,
  reference: readonly number[],
  hypervolume: number,
  losses: (x: readonly number[]) => number[],
): FrontProblem => {
  const values = (x: readonly number[]): number[] => losses(x).map((loss) => -loss);
  return {
    dimensions: floats(dimension, 0, 1),
    metrics: Array.from({ length: objectives }, (_, j) => `f${j + 1}`),
    values,
    observe: (x) => ({ values: values(x) }),
    reference,
    hypervolume,
  };
};

/** Zitzler, Deb and Thiele's first and second problem (2000): a convex and a concave front at the edge of the box. */
export function zdt(number: 1 | 2, dimension: number): FrontProblem {
  const hypervolume = number === 1 ? 1.21 - 1 / 3 : 1.21 - 2 / 3;
  return exactly(2, dimension, [-1.1, -1.1], hypervolume, ([first = 0, ...rest]) => {
    const g = 1 + (9 * rest.reduce((sum, value) => sum + value, 0)) / rest.length;
    return [first, g * (1 - (first / g) ** (number === 1 ? 0.5 : 2))];
  });
}

/** Deb, Thiele, Laumanns and Zitzler's second problem (2002): the front is a quarter of a circle, or an eighth of a ball. */
export function dtlz2(objectives: 2 | 3 | 4, dimension: number): FrontProblem {
  const ball = { 2: Math.PI / 4, 3: Math.PI / 6, 4: Math.PI ** 2 / 32 }[objectives];
  const reference = Array.from({ length: objectives }, () => -1.1);
  return exactly(objectives, dimension, reference, 1.1 ** objectives - ball, (x) => {
    const radius = 1 + x.slice(objectives - 1).reduce((sum, value) => sum + (value - 0.5) ** 2, 0);
    return Array.from({ length: objectives }, (_, j) => {
      let value = radius;
      for (let k = 0; k < objectives - 1 - j; k++) value *= Math.cos((x[k]! * Math.PI) / 2);
      return j === 0 ? value : value * Math.sin((x[objectives - 1 - j]! * Math.PI) / 2);
    });
  });
}

/** A merge of `tasks` experts whose tasks fall into groups: one metric for each, the mean accuracy of its tasks. */
export function mergeGroups(
  tasks: number,
  items: number,
  groups: number,
  reference: readonly number[],
  hypervolume: number,
): FrontProblem {
  const problem = mergeLike(tasks, items);
  const split = <T>(list: readonly T[]): T[][] =>
    Array.from({ length: groups }, (_, group) => list.slice((group * tasks) / groups, ((group + 1) * tasks) / groups));
  return {
    dimensions: problem.dimensions,
    metrics: Array.from({ length: groups }, (_, group) => `group${group + 1}`),
    values: (x) => split(problem.accuracies(x)).map((own) => own.reduce((sum, value) => sum + value, 0) / own.length),
    observe(x, noise) {
      const means = split(problem.count(x, noise)).map((correct) => meanAccuracy(correct, items));
      return {
        values: means.map(({ value }) => value),
        standardErrors: means.map(({ standardError }) => standardError),
      };
    },
    reference,
    hypervolume,
  };
}
