// Test problems with published constants and the loops that run a study on them. Scores are maximised.

import { createStream, purposes, type RandomStream } from "../numerics/rng.ts";
import type { Dimension, Values } from "../space/space.ts";
import type { Outcome } from "../study/events.ts";
import type { Study } from "../study/study.ts";

export interface Problem {
  readonly dimensions: readonly Dimension[];
  /** The true score; `x` in the order of `dimensions`. */
  readonly score: (x: readonly number[]) => number;
  /** What an evaluator reports for a true score. */
  readonly observe: (x: readonly number[], noise: RandomStream) => Outcome;
  readonly optimum: number;
}

export function floats(count: number, low: number, high: number): Dimension[] {
  return Array.from({ length: count }, (_, k) => ({ name: `x${k}`, kind: "float", low, high }));
}

function exact(dimensions: readonly Dimension[], optimum: number, score: Problem["score"]): Problem {
  return { dimensions, optimum, score, observe: (x) => ({ values: [score(x)] }) };
}

export const branin: Problem = exact(
  [
    { name: "x0", kind: "float", low: -5, high: 10 },
    { name: "x1", kind: "float", low: 0, high: 15 },
  ],
  -0.39788735772973816,
  ([a = 0, b = 0]) =>
    -((b - (5.1 / (4 * Math.PI ** 2)) * a ** 2 + (5 / Math.PI) * a - 6) ** 2) -
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(a) -
    10,
);

const hartmannWeights = [1, 1.2, 3, 3.2];
const hartmannScales = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const hartmannCentres = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];

export const hartmann6: Problem = exact(floats(6, 0, 1), 3.322368011415512, (x) =>
  hartmannWeights.reduce((sum, weight, i) => {
    const exponent = x.reduce((s, value, k) => s + hartmannScales[i]![k]! * (value - hartmannCentres[i]![k]!) ** 2, 0);
    return sum + weight * Math.exp(-exponent);
  }, 0),
);

/**
 * Merge-like: one coefficient in [0, 1] per expert; each task's accuracy is a bump that wants its own coefficient
 * high and the others low. Observed as the mean of `tasks` accuracies on `items` validation items each.
 */
export function mergeLike(tasks: number, items: number): Problem {
  const draw = createStream(12345, tasks, purposes.start);
  const list = (low: number, high: number): number[] =>
    Array.from({ length: tasks }, () => low + (high - low) * draw.uniform());
  const floor = list(0.05, 0.25);
  const ceiling = list(0.65, 0.95);
  const ownCentre = list(0.7, 1.3);
  const ownWeight = list(2, 4.5);
  const crossWeight = Array.from({ length: tasks }, () => list(0.2, 1.1));
  const crossCentre = Array.from({ length: tasks }, () => list(-0.15, 0.2));
  const accuracies = (x: readonly number[]): number[] =>
    floor.map((low, task) => {
      const misfit = x.reduce(
        (sum, value, k) =>
          sum +
          (k === task
            ? ownWeight[k]! * (value - ownCentre[k]!) ** 2
            : crossWeight[task]![k]! * (value - crossCentre[task]![k]!) ** 2),
        0,
      );
      return low + (ceiling[task]! - low) * Math.exp(-0.5 * misfit);
    });
  const score = (x: readonly number[]): number => accuracies(x).reduce((sum, p) => sum + p / tasks, 0);
  return {
    dimensions: floats(tasks, 0, 1),
    optimum: Number.NaN,
    score,
    observe(x, noise) {
      let value = 0;
      let variance = 0;
      for (const accuracy of accuracies(x)) {
        let correct = 0;
        for (let item = 0; item < items; item++) correct += noise.uniform() < accuracy ? 1 : 0;
        const smoothed = (correct + 1) / (items + 2);
        value += correct / items / tasks;
        variance += (smoothed * (1 - smoothed)) / items / tasks ** 2;
      }
      return { values: [value], standardErrors: [Math.sqrt(variance)] };
    },
  };
}

export function coordinates(problem: Problem, values: Values): number[] {
  return problem.dimensions.map(({ name }) => values[name]!);
}

/** Runs `budget` trials with `inFlight` asked ahead, told in the order they were asked. */
export function run(study: Study, problem: Problem, budget: number, inFlight = 1, noiseSeed = 0): void {
  const pending: { id: number; values: Values }[] = [];
  for (let done = 0; done < budget; done++) {
    while (pending.length < inFlight && done + pending.length < budget) pending.push(study.ask());
    const { id, values } = pending.shift()!;
    study.tell(id, problem.observe(coordinates(problem, values), createStream(noiseSeed, id, purposes.fantasies)));
  }
}
